/**
 * Charges that the server may know of, each written down by itself before it is sent, and which page of this browser answers for it:
 * tills that stand open side by side leave each other's charges alone, and what one leaves behind when it is closed, another takes up.
 */
import { me } from './me';
import { kept } from './store';

export interface Note {
  orderNo: string;
  minor: number;
  currency: string;
  till: string | undefined;
  /** Whether the server may know of it. */
  sent: boolean;
}

/** Names begin with the shop; an earlier version kept one note for each shop, under no more than that. */
const start = (): string => `charge.${me.get()?.shop.id ?? ''}`;

/** What is written down for this shop, oldest first. */
export const notes = (): Note[] =>
  kept
    .names(start())
    .flatMap((name) => kept.read<Note>(name) ?? [])
    .sort((a, b) => (a.orderNo < b.orderNo ? -1 : 1));

/** Whether it is written down now. */
export const note = (one: Note): boolean => kept.write(`${start()}.${one.orderNo}`, one);

/** Takes it out again. */
export function unnote(orderNo: string): void {
  for (const name of kept.names(start())) if (kept.read<Note>(name)?.orderNo === orderNo) kept.write(name, undefined);
}

/** The charges that this page answers for, and how to let go of them. The browser lets go of them when the page is closed. */
const claims = new Map<string, () => void>();

/** Makes this page the one that answers for a charge, unless it or another is that already. */
export function claim(orderNo: string): Promise<boolean> {
  if (claims.has(orderNo)) return Promise.resolve(false);
  if (!('locks' in navigator)) return Promise.resolve(true); // an old browser: to ask twice how an order stands does no harm
  let release = (): void => undefined;
  const over = new Promise<void>((resolve) => (release = resolve));
  claims.set(orderNo, release);
  return new Promise((resolve) => {
    const held = (lock: Lock | null) => {
      resolve(lock !== null);
      if (lock !== null) return over;
      claims.delete(orderNo);
      return undefined;
    };
    navigator.locks.request(`yima.till.${orderNo}`, { ifAvailable: true }, held).catch(() => resolve(true));
  });
}

/** Lets go of one charge. */
export function unclaim(orderNo: string): void {
  claims.get(orderNo)?.();
  claims.delete(orderNo);
}

export function unclaimAll(): void {
  for (const orderNo of [...claims.keys()]) unclaim(orderNo);
}
