/** One order: how it stands, what was given back, and what may be done with it. */
import { useRef, useState } from 'preact/hooks';
import { c } from '../../common/text';
import { Amount, AmountInput, Banner, Button, Card, Cell, Descriptions, Dialog, List, Section, Segmented, Sheet, toast } from '../../kit';
import { freshKey } from '../../lib/call';
import { dateTime, decimal, money, parseAmount, places } from '../../lib/format';
import { asFailure, useAct, useLoad } from '../../lib/load';
import { href } from '../../lib/router';
import { type Trade, cancelOrder, closeOrder, listRefunds, listTills, readTrade, refund } from '../api';
import { StatusBadge } from '../badges';
import { Frame } from '../frame';
import { can } from '../me';
import { t } from '../text';
import { Loaded, Refusal, signOf } from '../view';

function RefundSheet({ trade, onClose, onDone }: { trade: Trade; onClose: () => void; onDone: () => void }) {
  const currency = trade.refunded.currency;
  const left = (trade.amount?.minor ?? 0) - trade.refunded.minor;
  const [whole, setWhole] = useState(true);
  const [text, setText] = useState('');
  const [asking, setAsking] = useState(false);
  // One number for one refund: asked for again after a lost answer, it happens once.
  const number = useRef(`R-${freshKey()}`);
  const minor = whole ? left : (parseAmount(text.replace(/\.$/, ''), currency) ?? 0);
  const tooMuch = minor > left;
  const amount = { minor, currency };
  const act = useAct(async () => {
    try {
      await refund(trade.trade, number.current, amount);
    } catch (error) {
      const failure = asFailure(error);
      // Refused for good: another try is another refund. A lost answer is asked for with the same number.
      if (failure.kind === 'refused' && failure.status < 500 && failure.status !== 429) number.current = `R-${freshKey()}`;
      setAsking(false);
      throw failure;
    }
    toast(t('refund.done', { amount: money(amount) }), 'ok');
    onDone();
  });
  const locked = act.failure?.kind === 'lost';
  return (
    <>
      <Sheet open onClose={onClose} title={t('refund.title')} closeLabel={c('close')}>
        <Segmented
          label={t('refund.how')}
          value={whole ? 'whole' : 'part'}
          options={[
            { value: 'whole', label: t('refund.whole'), disabled: locked },
            { value: 'part', label: t('refund.part'), disabled: locked },
          ]}
          onChange={(how) => setWhole(how === 'whole')}
        />
        {whole ? (
          <div class="till-center">
            <Amount text={money(amount)} size="xl" />
          </div>
        ) : (
          <AmountInput
            label={t('refund.amount')}
            currency={signOf(currency)}
            decimals={places(currency)}
            value={text}
            onInput={(next) => locked || setText(next)}
            ownKeys
            hint={t('refund.left', { amount: money({ minor: left, currency }) })}
            error={tooMuch ? t('refund.too.much', { amount: money({ minor: left, currency }) }) : undefined}
            placeholder={decimal(0, currency)}
            onEnter={() => minor > 0 && !tooMuch && setAsking(true)}
          />
        )}
        <p class="till-note">{t('refund.note')}</p>
        {locked ? (
          <Banner tone="warn" role="alert" title={c('lost.title')}>
            {t('refund.lost')}
          </Banner>
        ) : (
          <Refusal failure={act.failure} />
        )}
        <Button kind="danger" block busy={act.busy} disabled={minor <= 0 || tooMuch} onClick={() => (locked ? act.run() : setAsking(true))}>
          {locked ? t('refund.again') : t('refund.do', { amount: money(amount) })}
        </Button>
      </Sheet>
      <Dialog
        open={asking}
        onClose={() => setAsking(false)}
        title={t('refund.sure', { amount: money(amount) })}
        actions={
          <>
            <Button onClick={() => setAsking(false)}>{c('cancel')}</Button>
            <Button kind="danger" busy={act.busy} onClick={() => act.run()}>
              {t('refund.confirm')}
            </Button>
          </>
        }
      >
        {t('refund.sure.note')}
      </Dialog>
    </>
  );
}

export default function Order({ id }: { id: string }) {
  const [sheet, setSheet] = useState<'refund' | 'close'>();
  const load = useLoad(
    async (signal) => {
      const trade = await readTrade(id, signal);
      const refunds = trade.refunded.minor > 0 ? await listRefunds(id, signal) : [];
      return { trade, refunds };
    },
    [id],
  );
  const tills = useLoad(listTills, []);
  const close = useAct(async (trade: Trade) => {
    const number = trade.order_no ?? '';
    try {
      await closeOrder(number);
    } catch (error) {
      const failure = asFailure(error);
      if (failure.code === 'trade_unknown') await cancelOrder(number);
      else if (failure.code !== 'trade_already_paid') throw failure;
      else toast(t('close.paid'), 'warn');
    }
    setSheet(undefined);
    load.reload();
  });
  return (
    <Frame title={t('order.title')} tab="/orders" back={href('/orders')}>
      <Loaded load={load} shape="card">
        {({ trade, refunds }) => {
          const left = (trade.amount?.minor ?? 0) - trade.refunded.minor;
          const unpaid = trade.status === 'open' || trade.status === 'waiting';
          return (
            <>
              <Card>
                <div class="till-center">
                  {trade.amount && <Amount text={money(trade.amount)} size="xl" />}
                  <StatusBadge status={trade.status} />
                </div>
                <Descriptions
                  items={[
                    { label: t('order.no'), value: trade.order_no ?? t('orders.poster') },
                    ...(trade.subject ? [{ label: t('order.subject'), value: trade.subject }] : []),
                    ...(trade.till ? [{ label: t('orders.till'), value: tills.data?.find((till) => till.id === trade.till)?.name ?? trade.till }] : []),
                    ...(trade.paid_at ? [{ label: t('order.paid.at'), value: dateTime(trade.paid_at) }] : []),
                    ...(trade.paid_at ? [{ label: t('order.fee'), value: money(trade.fee) }] : []),
                    ...(trade.refunded.minor > 0 ? [{ label: t('order.refunded'), value: money(trade.refunded) }] : []),
                    ...(trade.refunded.minor > 0 && left > 0 ? [{ label: t('order.left'), value: money({ minor: left, currency: trade.refunded.currency }) }] : []),
                    { label: t('order.trade'), value: <span class="till-id">{trade.trade}</span> },
                  ]}
                />
              </Card>
              {refunds.length > 0 && (
                <Section title={t('order.refunds')}>
                  <List>
                    {refunds.map((one) => (
                      <Cell key={one.refund} title={dateTime(one.at)} note={<span class="till-id">{one.refund}</span>} value={<Amount text={money({ ...one.amount, minor: -one.amount.minor })} />} />
                    ))}
                  </List>
                </Section>
              )}
              {can('staff') && trade.status === 'paid' && left > 0 && (
                <Button block icon="refund" onClick={() => setSheet('refund')}>
                  {t('refund.title')}
                </Button>
              )}
              {can('staff') && unpaid && trade.order_no && (
                <Button block icon="close" onClick={() => setSheet('close')}>
                  {t('close.do')}
                </Button>
              )}
              {sheet === 'refund' && (
                <RefundSheet
                  trade={trade}
                  onClose={() => setSheet(undefined)}
                  onDone={() => {
                    setSheet(undefined);
                    load.reload();
                  }}
                />
              )}
              <Dialog
                open={sheet === 'close'}
                onClose={() => setSheet(undefined)}
                title={t('close.sure')}
                actions={
                  <>
                    <Button onClick={() => setSheet(undefined)}>{t('close.keep')}</Button>
                    <Button kind="danger" busy={close.busy} onClick={() => close.run(trade)}>
                      {t('close.do')}
                    </Button>
                  </>
                }
              >
                <p>{t('close.note')}</p>
                <Refusal failure={close.failure} />
              </Dialog>
            </>
          );
        }}
      </Loaded>
    </Frame>
  );
}
