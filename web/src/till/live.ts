/**
 * The shop's live events, all day: read as a stream, so that the server's heartbeats are seen and a connection that has silently
 * died is noticed; resumed after the last event that was seen, so that none is missed and none comes twice.
 */
import { learnTime, serverNow } from '../lib/clock';
import type { Amount } from '../lib/format';
import { current } from '../lib/session';
import { heardPaid } from './charge';
import { me } from './me';
import { eventParser } from './sse';
import { kept, store } from './store';
import { announce, announceMeanwhile, sound } from './voice';

export interface Arrival {
  /** `evt_…`, or the trade where it came from the list. */
  id: string;
  type: 'trade.paid' | 'trade.refunded';
  /** When the ledger committed it, ISO 8601. */
  at: string;
  trade: string;
  orderNo: string | null;
  till: string | null;
  amount: Amount;
}

export interface Live {
  state: 'off' | 'connecting' | 'live' | 'broken';
  /** Newest first; only the last of them. */
  arrivals: Arrival[];
  /** What arrived while this device did not listen. */
  meanwhile: { payments: number; minor: number; from: string } | undefined;
  /** How many events came since the page was loaded; a screen that shows sums loads them again when it grows. */
  heard: number;
}

const SHOWN_MAX = 50;
/** The server's heartbeat comes every 15 s of silence. */
const SILENCE_MS = 32_000;
const CONNECT_MS = 15_000;
/** Older when it comes: it arrived meanwhile. */
const LATE_MS = 20_000;
/** Beyond so long nobody wants to hear it all: the list of orders has it. */
const RESUME_MAX_MS = 36 * 3_600_000;
const WAIT_MS = [300, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000];

const nothing: Live = { state: 'off', arrivals: [], meanwhile: undefined, heard: 0 };
export const live = store<Live>(nothing);

interface Message {
  id: string;
  type: string;
  created_at: string;
  data: { trade: string; order_no: string | null; till: string | null; amount?: Amount };
}

/** Ledger timestamps are beyond what a number holds exactly; as texts of digits they are compared so. */
const after = (id: string, last: string | undefined): boolean =>
  last === undefined || id.length > last.length || (id.length === last.length && id > last);

function resumeFrom(name: string): string | undefined {
  const last = kept.read<string>(name);
  if (last === undefined || !/^\d{1,20}$/.test(last)) return undefined;
  return serverNow() - Number(last) / 1e6 > RESUME_MAX_MS ? undefined : last;
}

/** Puts arrivals from elsewhere (the list of orders) below what is there. */
export function fillIn(arrivals: Arrival[]): void {
  const { arrivals: have } = live.get();
  const known = new Set(have.map((one) => `${one.type} ${one.trade}`));
  const more = arrivals.filter((one) => !known.has(`${one.type} ${one.trade}`));
  const all = [...have, ...more].sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0));
  live.change({ arrivals: all.slice(0, SHOWN_MAX) });
}

export const dismissMeanwhile = (): void => live.change({ meanwhile: undefined });

/** Listens until the answer is called. */
export function listen(shop: string): () => void {
  const name = `last.${shop}`;
  let last = resumeFrom(name);
  let stopped = false;
  let attempt = new AbortController();
  let heardAt = 0;
  let wake: (() => void) | undefined;
  let late = 0;

  const keepId = (id: string) => {
    if (!/^\d{1,20}$/.test(id) || !after(id, last)) return;
    last = id;
    kept.write(name, id);
  };

  const tellMeanwhile = (event: string) => {
    const { meanwhile } = live.get();
    const currency = me.get()?.currency;
    if (meanwhile && currency !== undefined && late > 0) announceMeanwhile(event, meanwhile.payments, { minor: meanwhile.minor, currency });
    late = 0;
  };
  let lateTimer: ReturnType<typeof setTimeout> | undefined;

  const take = (text: string) => {
    let message: Message;
    try {
      message = JSON.parse(text) as Message;
    } catch {
      return; // a kind of event that this page does not know
    }
    const { type, data } = message;
    live.change({ heard: live.get().heard + 1 });
    if ((type !== 'trade.paid' && type !== 'trade.refunded') || !data.amount) return;
    const arrival: Arrival = { id: message.id, type, at: message.created_at, trade: data.trade, orderNo: data.order_no, till: data.till, amount: data.amount };
    const rest = live.get().arrivals.filter((one) => one.id !== arrival.id && !(one.type === type && type === 'trade.paid' && one.trade === data.trade));
    live.change({ arrivals: [arrival, ...rest].slice(0, SHOWN_MAX) });
    if (type !== 'trade.paid') return;
    heardPaid(data.order_no, message.created_at);
    const till = me.get()?.till;
    if (till !== undefined && sound.get().own && data.till !== till) return;
    const at = Date.parse(message.created_at);
    if (serverNow() - at <= LATE_MS) {
      announce(message.id, data.amount, at);
      return;
    }
    late += 1;
    const { meanwhile } = live.get();
    live.change({
      meanwhile: {
        payments: (meanwhile?.payments ?? 0) + 1,
        minor: (meanwhile?.minor ?? 0) + data.amount.minor,
        from: meanwhile?.from ?? message.created_at,
      },
    });
    clearTimeout(lateTimer);
    lateTimer = setTimeout(() => tellMeanwhile(message.id), 600);
  };

  /** One connection; answers whether it came about. */
  const connect = async (signal: AbortSignal): Promise<boolean> => {
    const headers: Record<string, string> = { accept: 'text/event-stream' };
    if (last !== undefined) headers['last-event-id'] = last;
    const askedAt = (heardAt = Date.now());
    const response = await fetch('/v1/merchants/me/events', { headers, signal, cache: 'no-store', credentials: 'same-origin', redirect: 'error' });
    if (response.status === 401) {
      if (!(await current('merchant'))) me.set(null);
      return false;
    }
    if (response.status === 400) {
      // An id of another ledger: from now on.
      last = undefined;
      kept.write(name, undefined);
    }
    if (!response.ok || !response.body) return false;
    learnTime(response, askedAt);
    live.change({ state: 'live' });
    heardAt = Date.now();
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    const parse = eventParser((id) => keepId(id));
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return true;
      heardAt = Date.now();
      const seen = last;
      for (const event of parse(decoder.decode(value, { stream: true }))) {
        if (event.id === undefined || after(event.id, seen)) take(event.data);
      }
    }
  };

  const silence = setInterval(() => {
    if (Date.now() - heardAt > (live.get().state === 'live' ? SILENCE_MS : CONNECT_MS)) attempt.abort();
  }, 4_000);

  const run = async () => {
    for (let turn = 0; !stopped; ) {
      live.change({ state: turn > 1 ? 'broken' : 'connecting' });
      attempt = new AbortController();
      const began = Date.now();
      const came = await connect(attempt.signal).catch(() => live.get().state === 'live');
      if (stopped) return;
      live.change({ state: turn > 0 && !came ? 'broken' : 'connecting' });
      turn = came && Date.now() - began > 2_000 ? 0 : turn + 1;
      const ms = (WAIT_MS[Math.min(turn, WAIT_MS.length - 1)] ?? 1_000) * (0.75 + (began % 64) / 128);
      await new Promise<void>((resolve) => {
        wake = resolve;
        setTimeout(resolve, ms);
      });
    }
  };

  // Back on the screen or on the network: what looks alive after a pause often is not.
  const back = () => {
    if (document.visibilityState !== 'visible') return;
    if (live.get().state === 'live' && Date.now() - heardAt > 17_000) attempt.abort();
    wake?.();
  };
  const gone = () => attempt.abort();
  document.addEventListener('visibilitychange', back);
  addEventListener('pageshow', back);
  addEventListener('online', back);
  addEventListener('offline', gone);
  void run();

  return () => {
    stopped = true;
    attempt.abort();
    wake?.();
    clearInterval(silence);
    clearTimeout(lateTimer);
    document.removeEventListener('visibilitychange', back);
    removeEventListener('pageshow', back);
    removeEventListener('online', back);
    removeEventListener('offline', gone);
    live.set(nothing);
  };
}
