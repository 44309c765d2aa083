/**
 * Paying once over a network that may fail at any moment. A payment is written down with its key before it is sent. An answer that
 * was lost is asked for again with the same key, never sent anew: the server takes a key once. What is written down has no PIN.
 */
import { Failure, freshKey } from './call';
import { asFailure } from './load';
import * as vault from './vault';

export interface Unsettled {
  key: string;
  kind: 'payment' | 'transfer' | 'bill';
  /** What is sent again, but for the PIN. */
  request: Record<string, unknown>;
  /** Who is paid, for people. */
  title: string;
  minor: number;
  currency: string;
  /** When it was first sent, Unix milliseconds. */
  at: number;
}

// 507 among them: a full disk refuses the repetition of what was booked before it was full.
const ABOUT_THE_QUESTION = [401, 403, 408, 425, 429, 507];

/**
 * Whether an answer says what became of the payment. A refusal of the session, the PIN or the rate is about the question, not about
 * the payment that an earlier question may have made.
 */
export function decisive(failure: Failure): boolean {
  if (failure.kind !== 'refused') return false;
  return !ABOUT_THE_QUESTION.includes(failure.status) && !failure.code.startsWith('pin_');
}

const WAIT_MS = [1_000, 2_000, 4_000, 8_000, 15_000];

/** Waits, less if the network comes back meanwhile. */
function pause(turn: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener('online', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, WAIT_MS[Math.min(turn, WAIT_MS.length - 1)]);
    addEventListener('online', done);
    signal.addEventListener('abort', done);
  });
}

/**
 * Sends a payment until its outcome is known, or `signal` ends the asking (it is then still written down). `asking` is told each time
 * an answer was lost and it is asked again.
 */
export async function settle<T>(
  payment: Omit<Unsettled, 'key' | 'at'> & Partial<Pick<Unsettled, 'key' | 'at'>>,
  send: (key: string) => Promise<T>,
  { signal, asking, isSettled = (answer) => answer !== undefined }: { signal: AbortSignal; asking: (turn: number) => void; isSettled?: (answer: T) => boolean },
): Promise<T> {
  const known = payment.key !== undefined;
  const kept: Unsettled = { ...payment, key: payment.key ?? freshKey(), at: payment.at ?? Date.now() };
  await vault.put('unsettled', kept.key, kept);
  let lost = known;
  for (let turn = 0; ; turn += 1) {
    try {
      const answer = await send(kept.key);
      if (isSettled(answer)) {
        // It is over, whatever the store says: what stays written down is asked for once more, with the same key.
        await vault.remove('unsettled', kept.key).catch(() => undefined);
        return answer;
      }
      lost = true;
    } catch (error) {
      const failure = asFailure(error);
      // What never left changed nothing; what was refused before anything was lost changed nothing either.
      if (lost ? decisive(failure) : failure.kind !== 'lost') {
        await vault.remove('unsettled', kept.key).catch(() => undefined);
        throw failure;
      }
      if (failure.kind === 'refused') throw failure; // the person has to do something; the payment stays written down
      if (failure.kind === 'lost') lost = true;
    }
    if (signal.aborted) throw new Failure('lost', 'outcome_unknown', 'the outcome of this payment is not known yet');
    asking(turn + 1);
    await pause(turn, signal);
    if (signal.aborted) throw new Failure('lost', 'outcome_unknown', 'the outcome of this payment is not known yet');
  }
}

/** Payments whose outcome this device does not know. */
export const unsettled = async (): Promise<Unsettled[]> =>
  (await vault.all<Unsettled>('unsettled')).sort((a, b) => a.at - b.at);
