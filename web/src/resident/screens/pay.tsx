/** Paying a shop whose code was scanned. */
import { useState } from 'preact/hooks';
import { c, failureText } from '../../common/text';
import { Amount, AmountInput, Banner, Button, Card, Cell, Empty, Keypad, List, Skeleton, typeAmount } from '../../kit';
import { dateTime, money, parseAmount, places } from '../../lib/format';
import { useLoad, useOnline } from '../../lib/load';
import { href } from '../../lib/router';
import type { ScreenProps } from '../app';
import * as api from '../api';
import { CouponLine, couponRows, less, useCoupon } from '../coupon';
import { foundIn, refusal } from '../found';
import { useKept } from '../kept';
import { Facts, PinFor, Result, Sending, sign, usePayment } from '../paying';
import { SubScreen, here } from '../screen';
import { useMe } from '../state';
import { PinSheet, Refused, padLabels } from '../states';
import { t } from '../text';

export default function Pay({ query }: ScreenProps) {
  const payload = query.get('code') ?? '';
  const code = useLoad(() => foundIn(payload), [payload]);
  if (code.data) return <Payment key={payload} found={code.data} payload={payload} />;
  return (
    <SubScreen title={t('pay.title')} back="#/scan">
      {code.failure && !code.busy ? (
        <div role="alert">
          <Empty
            icon="error"
            title={t('scan.refused')}
            note={refusal(code.failure)}
            action={code.failure.passing ? <Button onClick={code.reload}>{c('retry')}</Button> : <Button href="#/scan">{t('scan.again')}</Button>}
          />
        </div>
      ) : (
        <Skeleton shape="card" label={c('loading')} />
      )}
    </SubScreen>
  );
}

function Payment({ found, payload }: { found: api.Found; payload: string }) {
  const wallet = useKept('wallet', api.wallet);
  const me = useMe();
  const online = useOnline();
  const { currency, minor: limit } = found.needs_pin_above;
  const [typed, setTyped] = useState('');
  const [pin, setPin] = useState(false);
  const { outcome, sent, open, pay, stop, reset } = usePayment();
  const minor = found.amount ? found.amount.minor : parseAmount(typed, currency);
  const amount = minor ? { minor, currency } : undefined;
  const choice = useCoupon(found.merchant ?? undefined, minor || undefined);
  // What is sent again is what was sent, whatever could be used by now.
  const repeated = open ? sent : undefined;
  const own = repeated?.amount ?? (amount && less(amount, choice.coupon));
  const waits = online && choice.pending && !repeated;
  const short = wallet.data && amount && wallet.at === undefined && wallet.data.available.minor < (own ?? amount).minor;
  const submit = (digits?: string) => {
    if (!amount || !own || waits) return;
    if (amount.minor > limit && digits === undefined) setPin(true);
    else {
      setPin(false);
      const request = { route: 'payment' as const, code: payload, amount: found.amount ? undefined : amount, coupon: choice.coupon?.id };
      pay({ request, title: found.payee_name, amount: own, total: amount, coupon: choice.coupon }, digits);
    }
  };
  if (outcome.at === 'sending') return <Sending turn={outcome.turn} title={found.payee_name} amount={sent?.amount} stop={stop} />;
  if (outcome.at !== 'ready') {
    return (
      <Result
        outcome={outcome}
        title={found.payee_name}
        rows={[
          ...(sent?.total && (outcome.at === 'unknown' || outcome.at === 'refused')
            ? ([
                [t(sent.coupon ? 'pay.total' : 'pay.amount'), money(sent.total)],
                ...(sent.coupon ? couponRows(sent.total, sent.coupon, true) : []),
              ] as [string, string][])
            : []),
          ...(found.note ? ([[t('pay.note'), found.note]] as [string, string][]) : []),
          ...(found.order_no ? ([[t('pay.order'), found.order_no]] as [string, string][]) : []),
          ...(outcome.at === 'paid' && outcome.coupon
            ? [
                [t('pay.total'), money({ ...outcome.amount, minor: outcome.amount.minor + outcome.coupon.discount.minor })] as [string, string],
                ...couponRows(outcome.amount, outcome.coupon, true).slice(0, 1),
              ]
            : []),
          ...(outcome.at === 'paid' ? ([[t('pay.time'), dateTime(Date.now())]] as [string, string][]) : []),
          [t('pay.source'), t('pay.wallet')],
        ]}
        actions={
          outcome.at === 'refused' ? (
            <Button
              kind="primary"
              block
              onClick={() => {
                // What can be used may be another now.
                choice.reload();
                reset();
              }}
            >
              {t('pay.back')}
            </Button>
          ) : outcome.at === 'paid' ? (
            <Button kind="primary" block href={outcome.id ? href(`/history/${outcome.id}`) : '#/history'}>
              {t('pay.receipt')}
            </Button>
          ) : undefined
        }
      />
    );
  }
  const pinFailure = outcome.failure?.code.startsWith('pin_') ? outcome.failure : undefined;
  const noPin = me.data && !me.data.resident.has_pin && amount && amount.minor > limit;
  const button = (
    <Button kind="primary" block disabled={!amount || !online || waits || Boolean(noPin)} onClick={() => submit()}>
      {own ? t('pay.now', { amount: money(own) }) : t('pay.title')}
    </Button>
  );
  return (
    <SubScreen title={t('pay.title')} back="#/scan" footer={button}>
      <div class="payee">
        <p class="payee-name">{found.payee_name}</p>
        {found.amount ? (
          <Amount text={money(found.amount)} size="xl" />
        ) : (
          <AmountInput
            label={t('pay.amount')}
            currency={sign(currency)}
            decimals={places(currency)}
            value={typed}
            onInput={setTyped}
            onEnter={() => submit()}
            error={typed !== '' && minor === undefined ? c('error.amount_unacceptable') : undefined}
          />
        )}
      </div>
      {found.note || found.order_no ? (
        <Card>
          <Facts
            rows={[
              ...(found.note ? ([[t('pay.note'), found.note]] as [string, string][]) : []),
              ...(found.order_no ? ([[t('pay.order'), found.order_no]] as [string, string][]) : []),
            ]}
          />
        </Card>
      ) : null}
      {found.merchant && amount && !repeated && <CouponLine choice={choice} />}
      <List label={t('pay.source')}>
        <Cell
          icon="pay"
          title={t('pay.wallet')}
          note={t(short ? 'pay.short' : 'pay.source')}
          tone={short ? 'bad' : undefined}
          value={wallet.data ? money(wallet.data.available) : ''}
        />
      </List>
      {!online && <Banner tone="warn">{t('pay.offline')}</Banner>}
      {noPin && (
        <Banner tone="warn" action={<Button small href={href('/me/pin', { next: here() })}>{t('pin.set')}</Button>}>
          {t('pay.pin.first', { amount: money(found.needs_pin_above) })}
        </Banner>
      )}
      {!pinFailure && <Refused failure={outcome.failure} />}
      {!found.amount && (
        <Keypad labels={padLabels()} decimal={places(currency) > 0} onKey={(k) => setTyped(typeAmount(typed, k, places(currency)))} />
      )}
      <PinSheet
        open={pin || pinFailure !== undefined}
        title={own && <PinFor name={found.payee_name} amount={own} />}
        error={pinFailure && pinFailure.code !== 'pin_required' ? failureText(pinFailure) : undefined}
        busy={waits}
        onPin={submit}
        onClose={() => {
          setPin(false);
          reset();
        }}
      />
    </SubScreen>
  );
}
