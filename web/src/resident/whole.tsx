/** Pays all that is open on an account at once: one price, one PIN, one key; what each bill became is shown. */
import { useEffect, useState } from 'preact/hooks';
import { c, failureText } from '../common/text';
import { Amount, Banner, Button, Card, Icon, Page, Skeleton, Stack, Steps } from '../kit';
import { Failure } from '../lib/call';
import { serverNow } from '../lib/clock';
import { type Amount as Money, month, money } from '../lib/format';
import { useLoad } from '../lib/load';
import { href } from '../lib/router';
import * as api from './api';
import { countUse } from './kept';
import { notePendingOf } from './open';
import { PinFor, Result, Sending, usePayment } from './paying';
import { SubScreen, here } from './screen';
import { useMe } from './state';
import { Failed, PinSheet, Refused } from './states';
import { t } from './text';

const nameOf = (bill: api.Bill): string => (bill.period ? month(bill.period) : bill.bill_no);

export function PayAccount(p: { biller: string; account: string; title: string; category: string; shown: Money; leave: () => void }) {
  const me = useMe();
  const price = useLoad((signal) => api.arrears(p.biller, p.account, signal), [p.biller, p.account]);
  const payment = usePayment();
  const [pin, setPin] = useState(false);
  const { outcome } = payment;
  const name = `${p.title} ${p.account}`;
  useEffect(() => {
    if (outcome.at === 'paid' || outcome.at === 'pending') void countUse(p.category);
    if (outcome.at === 'pending') void notePendingOf(name, outcome.payments);
  }, [outcome]);
  const data = price.data;
  if (outcome.at === 'sending') return <Sending turn={outcome.turn} title={name} amount={payment.sent?.amount} stop={payment.stop} />;
  if ((outcome.at === 'paid' || outcome.at === 'pending') && data) return <Became outcome={outcome} title={name} bills={data.bills} leave={p.leave} />;
  if (outcome.at !== 'ready') {
    return (
      <Result
        outcome={outcome}
        title={name}
        actions={
          <Button block onClick={p.leave}>
            {t('pay.back')}
          </Button>
        }
      />
    );
  }
  const limit = me.data?.no_pin_limit.minor;
  const needsPin = data !== undefined && (limit === undefined || data.total.minor > limit);
  const noPin = needsPin && me.data !== undefined && !me.data.resident.has_pin;
  const failure = outcome.failure;
  const pay = (digits?: string) => {
    if (!data) return;
    setPin(false);
    if (!payment.open && Date.parse(data.valid_until) - serverNow() < 5_000) return price.reload();
    payment.pay({ request: { route: 'account', biller: p.biller, account: p.account, quote: data.id }, title: name, amount: data.total }, digits);
  };
  return (
    <SubScreen title={t('whole.title')} back={p.leave}>
      <p class="lead">
        {p.title} <span class="k-num">{p.account}</span>
      </p>
      {!data ? (
        price.failure && !price.busy ? (
          <Failed failure={price.failure} retry={price.reload} />
        ) : (
          <Skeleton shape="list" label={c('loading')} />
        )
      ) : (
        <>
          {data.total.minor !== p.shown.minor && (
            <Banner tone="warn" role="status">
              {t('whole.changed')}
            </Banner>
          )}
          <Card>
            <dl class="facts">
              {data.bills.map((bill) => (
                <div key={bill.id}>
                  <dt>{nameOf(bill)}</dt>
                  <dd>{bill.quote && money(bill.quote.total)}</dd>
                </div>
              ))}
              {data.late_fee.minor > 0 && (
                <div>
                  <dt>{t('whole.fee')}</dt>
                  <dd>{money(data.late_fee)}</dd>
                </div>
              )}
            </dl>
          </Card>
          <p class="muted">{t('whole.note')}</p>
          {noPin && me.data && (
            <Banner tone="warn" action={<Button small href={href('/me/pin', { next: here() })}>{t('pin.set')}</Button>}>
              {t('pay.pin.first', { amount: money(me.data.no_pin_limit) })}
            </Banner>
          )}
          {failure && !failure.code.startsWith('pin_') && <Refused failure={failure} />}
          <div class="total">
            <p>
              {t('bill.total', { n: data.bills.length })} <Amount text={money(data.total)} size="l" />
            </p>
            <Button kind="primary" block busy={price.busy} disabled={noPin} onClick={() => (needsPin ? setPin(true) : pay())}>
              {t('bill.pay', { amount: money(data.total) })}
            </Button>
          </div>
          <PinSheet
            open={pin || failure?.code.startsWith('pin_') === true}
            title={<PinFor name={name} amount={data.total} />}
            error={failure && failure.code !== 'pin_required' ? failureText(failure) : undefined}
            onPin={pay}
            onClose={p.leave}
          />
        </>
      )}
    </SubScreen>
  );
}

type Ended = Extract<ReturnType<typeof usePayment>['outcome'], { at: 'paid' | 'pending' }>;

function Became({ outcome, title, bills, leave }: { outcome: Ended; title: string; bills: api.Bill[]; leave: () => void }) {
  const made = new Map((outcome.payments ?? []).map((one) => [one.bill, one]));
  const stopped = outcome.stopped;
  const heading = stopped ? t(outcome.amount.minor > 0 ? 'bill.some' : 'result.refused') : t(outcome.at === 'pending' ? 'result.pending' : 'result.paid');
  return (
    <Page title={heading} key={outcome.at}>
      <div class={`result result-${stopped || outcome.at === 'pending' ? 'warn' : 'ok'}`}>
        <span class="result-mark">
          <Icon name={stopped ? 'warn' : outcome.at === 'pending' ? 'history' : 'check'} />
        </span>
        <div role="status">
          <p class="result-to">{title}</p>
          <Amount text={money(outcome.amount)} size="xl" />
        </div>
      </div>
      <Card>
        <Steps
          items={bills.map((bill) => {
            const one = made.get(bill.id);
            const label = `${nameOf(bill)} ${money(one?.amount ?? bill.quote?.total ?? outcome.amount)}`;
            if (!one) return { label, state: 'todo', note: t('bill.step.not') };
            return one.state === 'pending' ? { label, state: 'done', note: t('bill.step.pending') } : { label, state: 'done', stateLabel: t('result.paid') };
          })}
        />
      </Card>
      {stopped && (
        <Banner tone="warn" title={t('whole.stopped')}>
          {failureText(new Failure('refused', stopped, '', 409))}
        </Banner>
      )}
      {outcome.at === 'pending' && <Banner tone="warn">{t('result.pending.note')}</Banner>}
      <Stack>
        <Button kind="primary" block href="#/history?show=bills">
          {t('pay.receipt')}
        </Button>
        <Button block onClick={leave}>
          {t('pay.back')}
        </Button>
      </Stack>
    </Page>
  );
}
