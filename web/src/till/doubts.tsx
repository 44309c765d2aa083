/** Charges that earlier visits and closed pages left in doubt: how each stands, and going on with it. */
import { c } from '../common/text';
import { Banner, Button } from '../kit';
import { money } from '../lib/format';
import { charge, dismiss, doubts, goOn } from './charge';
import { t } from './text';

const TONE = { asking: 'warn', open: 'warn', paid: 'ok', refunded: 'warn', closed: 'warn' } as const;

export function Doubts() {
  const list = doubts.use();
  const busy = charge.use() !== undefined;
  return (
    <>
      {list.map((one) => (
        <Banner
          key={one.orderNo}
          tone={TONE[one.stands]}
          role="status"
          title={t(`doubt.${one.stands}`, { amount: money(one) })}
          action={
            one.stands === 'asking' || one.stands === 'open' ? (
              <Button small disabled={busy} onClick={() => goOn(one)}>
                {t('doubt.go.on')}
              </Button>
            ) : (
              <Button small kind="quiet" onClick={() => dismiss(one.orderNo)}>
                {c('ok')}
              </Button>
            )
          }
        >
          {t('order.no')} <span class="k-num">{one.orderNo}</span>
        </Banner>
      ))}
    </>
  );
}
