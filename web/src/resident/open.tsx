/** Payments whose outcome this device does not know, and bills that their biller has not confirmed: asked for again, and shown. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { c, failureText } from '../common/text';
import { Banner, Button, Dialog } from '../kit';
import { call } from '../lib/call';
import { dateTime, money } from '../lib/format';
import { type Unsettled, unsettled } from '../lib/unsettled';
import * as vault from '../lib/vault';
import type { BillPayment } from './api';
import { keep, recall } from './kept';
import { type Outcome, type Request, run, underWay } from './paying';
import { PinSheet } from './states';
import { t } from './text';

/**
 * How old a payment may be that is asked for again by itself. To ask is to send it again: one that never arrived is made then, which
 * nobody expects who has paid in cash since. What is older waits for a press.
 */
const FRESH_MS = 3 * 60_000;

type Became = Outcome | { at: 'asking' };

export function Open({ changed }: { changed: () => void }) {
  const [list, setList] = useState<Unsettled[]>([]);
  useEffect(() => {
    // What is shown stays until it is closed; what a screen has just let go of comes to it.
    const look = () =>
      void unsettled().then(
        (all) => setList((shown) => [...shown, ...all.filter((one) => !underWay.has(one.key) && !shown.some((other) => other.key === one.key))]),
        () => undefined,
      );
    look();
    const timer = setInterval(look, 3_000);
    return () => clearInterval(timer);
  }, []);
  return (
    <>
      {list.map((one) => (
        <OpenPayment key={one.key} payment={one} changed={changed} />
      ))}
      <Pending changed={changed} />
    </>
  );
}

function OpenPayment({ payment, changed }: { payment: Unsettled; changed: () => void }) {
  const [became, set] = useState<Became>({ at: 'unknown' });
  const [pin, setPin] = useState(false);
  const [forgetting, setForgetting] = useState(false);
  const [gone, setGone] = useState(false);
  const stop = useRef<AbortController | undefined>(undefined);
  const request = payment.request as unknown as Request;
  const amount = { minor: payment.minor, currency: payment.currency };
  const ask = async (digits?: string) => {
    if (underWay.has(payment.key)) return;
    underWay.add(payment.key);
    stop.current = new AbortController();
    set({ at: 'asking' });
    const end = await run({ request, title: payment.title, amount, key: payment.key, at: payment.at }, digits, stop.current.signal, () => undefined);
    underWay.delete(payment.key);
    if (end.at === 'pending' && request.route === 'bill') {
      await notePending({ bill: request.bill, title: payment.title, minor: payment.minor, currency: payment.currency });
    }
    if (end.at === 'pending' && request.route === 'account') await notePendingOf(payment.title, end.payments);
    if (stop.current.signal.aborted && end.at === 'unknown') return;
    set(end);
    if (end.at === 'ready') setPin(end.failure?.code.startsWith('pin_') ?? false);
    else changed();
  };
  useEffect(() => {
    if (Date.now() - payment.at < FRESH_MS && request.route !== 'confirm') void ask();
    return () => stop.current?.abort();
  }, []);
  if (gone) return null;
  const what = { name: payment.title, amount: money(amount) };
  const close = (
    <Button small kind="quiet" onClick={() => setGone(true)}>
      {c('ok')}
    </Button>
  );
  if (became.at === 'paid' || became.at === 'pending') {
    // Of several bills perhaps not all were paid.
    const done = { ...what, amount: money(became.amount) };
    return (
      <Banner tone={became.at === 'pending' || became.stopped ? 'warn' : 'ok'} role="status" title={t(became.at === 'pending' ? 'open.pending' : 'open.paid', done)} action={close}>
        {became.stopped ? t('bill.some') : became.at === 'pending' ? t('result.pending.note') : undefined}
      </Banner>
    );
  }
  if (became.at === 'refused') {
    return (
      <Banner tone="bad" role="status" title={t('open.refused', what)} action={close}>
        <p>{failureText(became.failure)}</p>
        <p>{t('result.nothing')}</p>
      </Banner>
    );
  }
  const failure = became.at === 'ready' ? became.failure : undefined;
  return (
    <>
      <Banner
        tone="warn"
        role="status"
        title={became.at === 'asking' ? c('asking.title') : c('unknown.title')}
        action={
          became.at === 'asking' ? undefined : (
            <>
              <Button small onClick={() => (request.route === 'confirm' || failure?.code.startsWith('pin_') ? setPin(true) : void ask())}>
                {t('open.ask')}
              </Button>
              <Button small kind="quiet" onClick={() => setForgetting(true)}>
                {t('open.forget')}
              </Button>
            </>
          )
        }
      >
        <p>{t('open.what', { ...what, time: dateTime(payment.at) })}</p>
        <p>{became.at === 'asking' ? t('open.asking') : t('open.how')}</p>
      </Banner>
      <PinSheet
        open={pin}
        title={<p>{t('open.what', { ...what, time: dateTime(payment.at) })}</p>}
        busy={became.at === 'asking'}
        error={failure && failure.code !== 'pin_required' ? failureText(failure) : undefined}
        onPin={(digits) => {
          setPin(false);
          void ask(digits);
        }}
        onClose={() => setPin(false)}
      />
      <Dialog
        open={forgetting}
        title={t('open.forget.title')}
        onClose={() => setForgetting(false)}
        actions={
          <>
            <Button onClick={() => setForgetting(false)}>{c('cancel')}</Button>
            <Button
              kind="danger"
              onClick={() => {
                setForgetting(false);
                setGone(true);
                void vault.remove('unsettled', payment.key);
              }}
            >
              {t('open.forget')}
            </Button>
          </>
        }
      >
        <p>{t('open.forget.note')}</p>
      </Dialog>
    </>
  );
}

/** A bill whose biller had not answered when it was paid. */
export interface PendingBill {
  bill: string;
  title: string;
  minor: number;
  currency: string;
}
const pendingBills = async (): Promise<PendingBill[]> => (await recall<PendingBill[]>('pending'))?.data ?? [];

export async function notePending(bill: PendingBill): Promise<void> {
  await keep('pending', [...(await pendingBills()).filter((one) => one.bill !== bill.bill), bill]);
}

/** Those of several bills that their biller had not answered for. */
export async function notePendingOf(title: string, payments: BillPayment[] = []): Promise<void> {
  for (const one of payments.filter((each) => each.state === 'pending')) {
    await notePending({ bill: one.bill, title, minor: one.amount.minor, currency: one.amount.currency });
  }
}

function Pending({ changed }: { changed: () => void }) {
  const [shown, setShown] = useState<(PendingBill & { state: string })[]>([]);
  useEffect(() => {
    let timer = 0;
    let gone = false;
    const look = async () => {
      const list = await pendingBills();
      const now = await Promise.all(
        list.map(async (one) => {
          const state = await call('get', '/v1/bills/{id}', { path: { id: one.bill } }).then((bill) => bill.state, () => 'claimed');
          return { ...one, state };
        }),
      );
      if (gone || now.length === 0) return;
      const open = now.filter((one) => one.state === 'claimed');
      if (open.length < now.length) {
        await keep('pending', open.map(({ bill, title, minor, currency }) => ({ bill, title, minor, currency })));
        changed();
      }
      setShown((before) => [...before.filter((one) => one.state !== 'claimed'), ...now]);
      if (open.length > 0) timer = window.setTimeout(() => void look(), 5_000);
    };
    void look();
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, []);
  return (
    <>
      {shown.map((one) => {
        const what = { name: one.title, amount: money(one) };
        const tone = one.state === 'settled' ? 'ok' : one.state === 'open' ? 'bad' : 'warn';
        return (
          <Banner key={one.bill} tone={tone} role="status">
            {t(one.state === 'settled' ? 'open.paid' : one.state === 'open' ? 'open.returned' : 'open.pending', what)}
          </Banner>
        );
      })}
    </>
  );
}
