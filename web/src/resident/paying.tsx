/** A payment from the first press to what became of it. Every one goes through `settle`, so that none is made twice. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { c, failureText } from '../common/text';
import { Amount, Button, Card, Icon, Page, Skeleton, Stack } from '../kit';
import { call, type Failure } from '../lib/call';
import { type Amount as Money, money } from '../lib/format';
import { asFailure } from '../lib/load';
import { settle } from '../lib/unsettled';
import * as vault from '../lib/vault';
import type { BillPayment, Coupon, PaidAccount, UsedCoupon } from './api';
import { t } from './text';

/** What is sent, but for the PIN: kept with the payment, so that it can be asked for again. */
export type Request =
  | { route: 'payment'; code: string; amount?: Money; coupon?: string }
  | { route: 'transfer'; phone?: string; code?: string; amount: Money }
  | { route: 'confirm'; trade: string }
  | { route: 'bill'; bill: string; quote: string; amount?: Money }
  | { route: 'account'; biller: string; account: string; quote: string }
  | { route: 'ahead'; biller: string; account: string; amount: Money };

interface Answer extends Part {
  amount: Money;
  state?: string;
  id?: string;
  coupon?: UsedCoupon | null;
}

/** Of a payment of several bills: each payment, and why the rest was left. */
interface Part {
  payments?: BillPayment[];
  stopped?: string;
}

/** Sends a payment; the same key is the same payment. */
export function send(request: Request, key: string, pin: string | undefined): Promise<Answer> {
  switch (request.route) {
    case 'payment':
      return call('post', '/v1/payments', { body: { code: request.code, amount: request.amount, pin, coupon: request.coupon }, key });
    case 'transfer':
      return call('post', '/v1/transfers', { body: { phone: request.phone, code: request.code, amount: request.amount, pin }, key });
    case 'confirm':
      return call('post', '/v1/payments/waiting/{trade}/confirm', { path: { trade: request.trade }, body: { pin: pin ?? '' } });
    case 'bill':
      return call('post', '/v1/bills/{id}/pay', {
        path: { id: request.bill },
        body: { quote: request.quote, amount: request.amount, pin },
        key,
      }) as Promise<BillPayment>;
    case 'account':
      return (
        call('post', '/v1/bills/pay-account', {
          body: { biller: request.biller, account_no: request.account, quote: request.quote, pin },
          key,
          timeoutMs: 60_000,
        }) as Promise<PaidAccount>
      ).then((paid) => ({ amount: paid.paid, state: paid.state, payments: paid.payments, stopped: paid.stopped?.code }));
    case 'ahead':
      return call('post', '/v1/bills/advance', { body: { biller: request.biller, account_no: request.account, amount: request.amount, pin }, key });
  }
}

/** The payments that a screen is busy with right now; nobody else asks for those. */
export const underWay = new Set<string>();

export type Outcome =
  | { at: 'ready'; failure?: Failure }
  | { at: 'sending'; turn: number }
  | ({ at: 'paid' | 'pending'; /** What the payer paid himself. */ amount: Money; id?: string; coupon?: UsedCoupon } & Part)
  | { at: 'unknown' }
  | { at: 'refused'; failure: Failure };

export interface Wish {
  request: Request;
  /** Who is paid. */
  title: string;
  /** What the payer pays himself. */
  amount: Money;
  /** With a coupon: what the shop gets, and which coupon it is. */
  total?: Money;
  coupon?: Coupon | undefined;
}

/** Refusals that the person can mend on the same screen: another PIN, another amount. */
const mendable = (failure: Failure): boolean =>
  failure.code.startsWith('pin_') || failure.kind === 'offline' || failure.status === 429 || failure.status === 401;

const KIND = { payment: 'payment', confirm: 'payment', transfer: 'transfer', bill: 'bill', account: 'bill', ahead: 'bill' } as const;

/** Runs one payment until its outcome is known; `turned` hears how often an answer was lost. The PIN lives no longer than this call. */
export async function run(
  wish: Wish & { key?: string; at?: number },
  pin: string | undefined,
  signal: AbortSignal,
  turned: (turn: number) => void,
): Promise<Outcome & { key?: string }> {
  let key = wish.key;
  try {
    const answer = await settle(
      {
        kind: KIND[wish.request.route],
        request: wish.request as unknown as Record<string, unknown>,
        title: wish.title,
        minor: wish.amount.minor,
        currency: wish.amount.currency,
        key: wish.key,
        at: wish.at,
      },
      (given) => {
        key = given;
        underWay.add(given);
        return send(wish.request, given, pin);
      },
      { signal, asking: turned },
    );
    const coupon = answer.coupon ?? undefined;
    const amount = coupon ? { ...answer.amount, minor: answer.amount.minor - coupon.discount.minor } : answer.amount;
    return { at: answer.state === 'pending' ? 'pending' : 'paid', amount, id: answer.id, coupon, payments: answer.payments, stopped: answer.stopped };
  } catch (error) {
    const failure = asFailure(error);
    if (failure.code === 'outcome_unknown') return { at: 'unknown' };
    // What was refused for the PIN after an answer was lost is still the same payment.
    const open = key !== undefined && (await vault.get('unsettled', key).catch(() => undefined)) !== undefined;
    // After a loss only an answer about the PIN leaves the form; any other refusal is about the question, not the payment.
    if (open && !failure.code.startsWith('pin_')) return { at: 'unknown' };
    if (mendable(failure)) return { at: 'ready', failure, key: open ? key : undefined };
    return { at: 'refused', failure };
  } finally {
    if (key !== undefined) underWay.delete(key);
  }
}

/** A payment of a screen. */
export function usePayment() {
  const [outcome, set] = useState<Outcome>({ at: 'ready' });
  const stop = useRef<AbortController | undefined>(undefined);
  /** What was sent and has a key whose outcome is not known: a repetition is this and nothing else, whatever the form says by now. */
  const again = useRef<(Wish & { key: string }) | undefined>(undefined);
  const [sent, setSent] = useState<Wish>();
  const sending = useRef(false);
  useEffect(() => () => stop.current?.abort(), []);
  const pay = async (wish: Wish, pin?: string) => {
    if (sending.current) return;
    sending.current = true;
    const now: Wish & { key?: string } = again.current ?? wish;
    setSent(now);
    stop.current = new AbortController();
    set({ at: 'sending', turn: 0 });
    const became = await run(now, pin, stop.current.signal, (turn) => set({ at: 'sending', turn }));
    again.current = became.key === undefined ? undefined : { ...now, key: became.key };
    sending.current = false;
    set(became);
  };
  return {
    outcome,
    /** What was sent last. */
    sent,
    /** It has been sent and nobody knows what became of it: until that is known nothing else is sent. */
    open: outcome.at === 'ready' && again.current !== undefined,
    pay: (wish: Wish, pin?: string) => void pay(wish, pin),
    stop: () => stop.current?.abort(),
    reset: () => {
      again.current = undefined;
      set({ at: 'ready' });
    },
  };
}

/** While it is sent, and while it is asked for again. */
export function Sending({ turn, title, amount, stop }: { turn: number; title: string; amount?: Money | undefined; stop: () => void }) {
  return (
    <Page title={c(turn === 0 ? 'loading' : 'asking.title')}>
      <div class="result" aria-live="polite">
        {turn > 0 && (
          <span class="result-mark asking">
            <Icon name="refresh" />
          </span>
        )}
        <p class="result-to">{title}</p>
        {amount && <Amount text={money(amount)} size="xl" />}
        {turn === 0 ? (
          <Skeleton shape="card" label={t('pay.sending')} />
        ) : (
          <>
            <p class="result-note">{c('asking.note', { n: turn })}</p>
            <Button onClick={stop}>{t('pay.stop')}</Button>
          </>
        )}
      </div>
    </Page>
  );
}

const LOOK = {
  paid: { icon: 'check', key: 'result.paid', tone: 'ok' },
  pending: { icon: 'history', key: 'result.pending', tone: 'warn' },
  unknown: { icon: 'warn', key: 'result.pending', tone: 'warn' },
  refused: { icon: 'error', key: 'result.refused', tone: 'bad' },
} as const;

/** What became of it. */
export function Result({
  outcome,
  title,
  heading,
  rows = [],
  note,
  actions,
}: {
  outcome: Exclude<Outcome, { at: 'ready' | 'sending' }>;
  title: string;
  /** In the place of "paid". */
  heading?: string;
  rows?: [string, ComponentChildren][];
  note?: string;
  actions?: ComponentChildren;
}) {
  const look = LOOK[outcome.at];
  const said =
    outcome.at === 'refused'
      ? failureText(outcome.failure)
      : outcome.at === 'unknown'
        ? c('unknown.note')
        : outcome.at === 'pending'
          ? t('result.pending.note')
          : note;
  return (
    <Page title={outcome.at === 'unknown' ? c('unknown.title') : ((outcome.at === 'paid' && heading) || t(look.key))} key={outcome.at}>
      <div class={`result result-${look.tone}`}>
        <span class="result-mark">
          <Icon name={look.icon} />
        </span>
        <div role="status">
          <p class="result-to">{title}</p>
          {(outcome.at === 'paid' || outcome.at === 'pending') && <Amount text={money(outcome.amount)} size="xl" />}
          {said && <p class="result-note">{said}</p>}
          {outcome.at === 'refused' && <p class="result-note">{t('result.nothing')}</p>}
        </div>
      </div>
      {rows.length > 0 && (
        <Card>
          <Facts rows={rows} />
        </Card>
      )}
      <Stack>
        {actions}
        <Button href="#/" kind={actions ? 'plain' : 'primary'} block>
          {c('done')}
        </Button>
      </Stack>
    </Page>
  );
}

/** Pairs of a name and what stands for it. */
export const Facts = ({ rows }: { rows: [string, ComponentChildren][] }) => (
  <dl class="facts">
    {rows.map(([name, value]) => (
      <div key={name}>
        <dt>{name}</dt>
        <dd>{value}</dd>
      </div>
    ))}
  </dl>
);

/** Whom and how much, above the PIN pad. */
export const PinFor = ({ name, amount }: { name: string; amount: Money }) => (
  <>
    <p>{name}</p>
    <Amount text={money(amount)} size="l" />
  </>
);

/** The sign of a currency, as it stands before an amount. */
export const sign = (currency: string): string => money({ minor: 0, currency }).replace(/[\d.,\s]/g, '');
