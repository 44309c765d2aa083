/**
 * One charge from the amount to its end. The order number is made once, here, and written down before anything is sent: an answer
 * that was lost is asked for again with the same number, so that nobody is ever charged twice, also after the page was reloaded. What
 * cannot be written down is not sent.
 *
 * scan → asking → paid | waiting → paid | ended
 *      → code (the payer scans the till) → paid | ended
 *      → refused → scan, with the same number
 *
 * Never keeps a payer's code.
 */
import { Failure } from '../lib/call';
import { cityClock } from '../lib/format';
import { asFailure } from '../lib/load';
import { decisive } from '../lib/unsettled';
import { type Status, type Trade, type Wanted, cancelOrder, charge as send, closeOrder, makeOrder, readOrder } from './api';
import { me } from './me';
import { type Note, claim, note, notes, unclaim, unclaimAll, unnote } from './notes';
import { store } from './store';

export type Phase =
  | { at: 'scan' }
  /** An answer is awaited; `turn` counts those that were lost. `failure` is the last one that refused the question itself. */
  | { at: 'asking'; what: 'charge' | 'code' | 'end' | 'state'; turn: number; failure?: Failure | undefined }
  | { at: 'code'; qr: string; until: string }
  | { at: 'waiting'; until: string | undefined }
  | { at: 'refused'; failure: Failure }
  | { at: 'paid'; paidAt: string | undefined }
  | { at: 'ended'; why: 'cancelled' | 'expired' | 'refunded' };

export interface Charge extends Note {
  phase: Phase;
}

/** A charge that an earlier visit or a closed page left in doubt, beside the one under way. */
export interface Doubt extends Note {
  stands: 'asking' | 'open' | 'paid' | 'refunded' | 'closed';
}

const CODE_LIFE_S = 300;
const WAIT_MS = [1_000, 2_000, 4_000, 8_000];
const POLL_MS = 2_000;
const LOOK_MS = 60_000;

export const charge = store<Charge | undefined>(undefined);
export const doubts = store<Doubt[]>([]);

let going = new AbortController();

/** Ends what is under way for the charge, and begins something else. */
function turnTo(phase: Phase): AbortSignal {
  going.abort();
  going = new AbortController();
  const now = charge.get();
  if (now) charge.set({ ...now, phase });
  return going.signal;
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener('online', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    addEventListener('online', done);
    signal.addEventListener('abort', done);
  });

function number(): string {
  const [day = '', time = ''] = cityClock().replace(/[-:]/g, '').split('T');
  const letters = Array.from(crypto.getRandomValues(new Uint8Array(8)), (b) => '0123456789ABCDEFGHJKMNPQRSTVWXYZ'[b & 31]);
  return `${day}-${time}-${letters.join('')}`;
}

/** Begins a charge. Nothing is sent yet. */
export function begin(minor: number): void {
  const who = me.get();
  if (!who) return;
  going.abort();
  const orderNo = number();
  void claim(orderNo);
  charge.set({ orderNo, minor, currency: who.currency, till: who.till, sent: false, phase: { at: 'scan' } });
}

let here = new AbortController();

/** Takes up what earlier visits, and pages that were closed, left unfinished: the last of it here, what is older beside it. */
export function takeUp(): void {
  here = new AbortController();
  const { signal } = here;
  const take = () =>
    void look(signal).then((found) => {
      const last = charge.get() ? undefined : found.pop();
      if (last) goOn(last);
      for (const one of found) void doubt(one, signal);
    });
  take();
  setTimeout(take, 1_000); // when a page is reloaded, the browser may let go of its claims only after it is here again
  const later = () => {
    if (document.visibilityState === 'visible') void look(signal).then((found) => found.forEach((one) => void doubt(one, signal)));
  };
  document.addEventListener('visibilitychange', later, { signal });
  // A window beside this one may be closed while this one stays in sight.
  const timer = setInterval(later, LOOK_MS);
  signal.addEventListener('abort', () => clearInterval(timer));
}

/** What is written down and nobody answers for. */
async function look(signal: AbortSignal): Promise<Note[]> {
  const found: Note[] = [];
  for (const one of signal.aborted ? [] : notes()) {
    if (!(await claim(one.orderNo))) continue;
    // It may have come to its end elsewhere since it was read.
    if (!signal.aborted && notes().some((other) => other.orderNo === one.orderNo)) found.push(one);
    else unclaim(one.orderNo);
  }
  return signal.aborted ? [] : found;
}

/** Makes a charge in doubt the one under way. */
export function goOn({ orderNo, minor, currency, till, sent }: Note): void {
  if (charge.get()) return;
  dismiss(orderNo);
  charge.set({ orderNo, minor, currency, till, sent, phase: { at: 'asking', what: 'state', turn: 0 } });
  void during(() => settle());
}

/** Shows no more of a charge whose end is known. */
export const dismiss = (orderNo: string): void => doubts.set(doubts.get().filter((one) => one.orderNo !== orderNo));

/** Asks how a charge in doubt stands until it is known, or somebody goes on with it. */
async function doubt(one: Note, signal: AbortSignal): Promise<void> {
  doubts.set([...doubts.get(), { ...one, stands: 'asking' }]);
  for (let turn = 0; ; turn += 1) {
    const stands = await readOrder(one.orderNo, signal).then(
      ({ status }) => (status === 'waiting' ? 'open' : status),
      (error: unknown) => (asFailure(error).code === 'trade_unknown' ? 'open' : undefined),
    );
    // Somebody has gone on with it, or a live event was faster with its end.
    const now = doubts.get().find((other) => other.orderNo === one.orderNo)?.stands;
    if (signal.aborted || (now !== 'asking' && now !== 'open')) return;
    if (stands !== undefined) stood(one.orderNo, stands);
    if (stands !== undefined && stands !== 'open') return;
    await pause(WAIT_MS[Math.min(turn, WAIT_MS.length - 1)] ?? POLL_MS, signal);
  }
}

function stood(orderNo: string, stands: Doubt['stands']): void {
  doubts.set(doubts.get().map((one) => (one.orderNo === orderNo ? { ...one, stands } : one)));
  if (stands !== 'open') forget(orderNo);
}

/** Nobody stands at the till any more. What is not finished stays written down. */
export function putDown(): void {
  here.abort();
  going.abort();
  charge.set(undefined);
  doubts.set([]);
  unclaimAll();
}

function writeDown(): void {
  const now = charge.get();
  if (!now || now.sent) return;
  const { phase: _, ...rest } = now;
  if (!note({ ...rest, sent: true })) throw new Failure('refused', 'not_kept', 'this device keeps nothing');
  charge.set({ ...now, sent: true });
}

/** Nothing left the device: there is nothing to be closed or asked about. */
function unsent(): void {
  const now = charge.get();
  if (!now) return;
  unnote(now.orderNo);
  charge.set({ ...now, sent: false });
}

function forget(orderNo: string): void {
  unnote(orderNo);
  unclaim(orderNo);
}

function over(phase: Phase): void {
  forget(charge.get()?.orderNo ?? '');
  turnTo(phase);
}

const wanted = (now: Charge): Wanted => ({
  order_no: now.orderNo,
  amount: { minor: now.minor, currency: now.currency },
  till: now.till,
});

/**
 * Asks until there is an answer, telling how many were lost. A refusal is an answer; one that is about the question says nothing of a
 * charge that the server may know of, and such a charge is read instead of being sent again.
 */
async function insist<T>(what: 'charge' | 'code' | 'end' | 'state', act: (signal: AbortSignal) => Promise<T>): Promise<{ answer: T; lost: number }> {
  const known = charge.get()?.sent ?? false;
  writeDown();
  const signal = turnTo({ at: 'asking', what, turn: 0 });
  for (let turn = 0; ; turn += 1) {
    try {
      const answer = await act(signal);
      signal.throwIfAborted();
      return { answer, lost: turn };
    } catch (error) {
      signal.throwIfAborted();
      const failure = asFailure(error);
      const first = !known && turn === 0;
      const decided = failure.kind === 'refused' && (decisive(failure) || (failure.status !== 429 && (first || what === 'charge')));
      if (failure.kind === 'offline' && turn === 0 && !known) {
        unsent();
        throw failure;
      }
      if (decided) throw Object.assign(failure, { lost: turn });
      const told = failure.kind === 'refused' && failure.status !== 429 ? failure : undefined;
      charge.set({ ...(charge.get() as Charge), phase: { at: 'asking', what, turn: turn + 1, failure: told } });
      await pause(WAIT_MS[Math.min(turn, WAIT_MS.length - 1)] ?? POLL_MS, signal);
      signal.throwIfAborted();
    }
  }
}

/** Does something for the charge; what the person has turned away from meanwhile says nothing. */
async function during(act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') return;
    const failure = asFailure(error);
    if (failure.code === 'trade_closed') over({ at: 'ended', why: 'expired' });
    else turnTo({ at: 'refused', failure });
  }
}

/** Charges the payer who shows this code. */
export function take(code: string): void {
  const now = charge.get();
  if (!now || !['scan', 'code', 'refused'].includes(now.phase.at)) return;
  void during(async () => {
    try {
      const { answer } = await insist('charge', (signal) => send(wanted(now), code, signal));
      if (answer.status === 'paid') over({ at: 'paid', paidAt: answer.paid_at ?? undefined });
      else wait(answer.waits_until ?? undefined);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      // What was refused after an answer was lost, or for somebody else's sake, may have been done by the question before.
      const lost = (error as Failure & { lost?: number }).lost ?? 0;
      if (lost > 0 || error.code === 'trade_not_for_you' || error.code === 'payment_code_used') await settle(error);
      else throw error;
    }
  });
}

/** Shows a code that the payer scans. */
export function showCode(): void {
  const now = charge.get();
  if (!now || !['scan', 'refused'].includes(now.phase.at)) return;
  void during(async () => {
    const { answer } = await insist('code', (signal) => makeOrder(wanted(now), CODE_LIFE_S, signal));
    const signal = turnTo({ at: 'code', qr: answer.qr, until: answer.expires_at });
    await poll(signal);
  });
}

function wait(until: string | undefined): void {
  const signal = turnTo({ at: 'waiting', until });
  void during(() => poll(signal));
}

/** Asks now and then how the order stands; the live events are faster where they come. */
async function poll(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await pause(POLL_MS, signal);
    const now = charge.get();
    if (signal.aborted || !now) return;
    try {
      const trade = await readOrder(now.orderNo, signal);
      if (signal.aborted) return;
      if (trade.status === 'waiting' && now.phase.at === 'code') return wait(undefined);
      if (trade.status !== 'open' && trade.status !== 'waiting') return stands(trade);
    } catch (error) {
      if (signal.aborted) return;
      const failure = asFailure(error);
      if (decisive(failure)) throw failure;
    }
  }
}

const ENDED: Partial<Record<Status, 'expired' | 'refunded'>> = { closed: 'expired', refunded: 'refunded' };

function stands(trade: Trade, closedBecause: 'cancelled' | 'expired' = 'expired'): void {
  if (trade.status === 'paid') over({ at: 'paid', paidAt: trade.paid_at ?? undefined });
  else if (trade.status === 'waiting') wait(undefined);
  else if (trade.status === 'open') turnTo({ at: 'scan' });
  else over({ at: 'ended', why: trade.status === 'closed' ? closedBecause : (ENDED[trade.status] ?? 'expired') });
}

/** What became of the order; where nothing did, `refusal` stands. */
async function settle(refusal?: Failure): Promise<void> {
  const orderNo = charge.get()?.orderNo ?? '';
  try {
    const { answer } = await insist('state', (signal) => readOrder(orderNo, signal));
    if (answer.status === 'open' && refusal) turnTo({ at: 'refused', failure: refusal });
    else stands(answer);
  } catch (error) {
    // Nobody knows the order: nothing of it has arrived, and with the same number it is the same charge.
    if (error instanceof Failure && error.code === 'trade_unknown') turnTo(refusal ? { at: 'refused', failure: refusal } : { at: 'scan' });
    else throw error;
  }
}

/** Gives the charge up: it can never be paid after this. If it was paid meanwhile, that is what is shown. */
export function end(): void {
  const now = charge.get();
  if (!now) return;
  if (!now.sent) {
    going.abort();
    unclaim(now.orderNo);
    charge.set(undefined);
    return;
  }
  void during(async () => {
    try {
      const { answer } = await insist('end', (signal) => closeOrder(now.orderNo, signal));
      stands(answer, 'cancelled');
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (error.code === 'trade_already_paid') await settle();
      // What has not arrived might still: cancelling closes the number for good.
      else if (error.code === 'trade_unknown')
        stands((await insist('end', (signal) => cancelOrder(now.orderNo, signal))).answer, 'cancelled');
      else throw error;
    }
  });
}

/** Gives up neither the charge nor its number, only the cancelling: how the order stands is asked for. */
export function keep(): void {
  const phase = charge.get()?.phase;
  if (phase?.at === 'asking' && phase.what === 'end') void during(() => settle());
}

/** Back to the payer's next code, with the same number. */
export function again(): void {
  if (charge.get()?.phase.at === 'refused') turnTo({ at: 'scan' });
}

/** Clears the result away for the next charge. */
export function next(): void {
  const now = charge.get();
  if (now && (now.phase.at === 'paid' || now.phase.at === 'ended')) charge.set(undefined);
}

/** A live event said that this order was paid. */
export function heardPaid(orderNo: string | null | undefined, at: string): void {
  const now = charge.get();
  if (doubts.get().some((one) => one.orderNo === orderNo && one.stands !== 'paid')) stood(orderNo as string, 'paid');
  if (now && orderNo === now.orderNo && now.phase.at !== 'paid' && now.phase.at !== 'ended') over({ at: 'paid', paidAt: at });
}
