/** Who stands at this till: the shop, the role of the key that signed in, and the till that takes the money. */
import { type Session, current, signOut } from '../lib/session';
import { type Role, type Shop, readBalance, readShop } from './api';
import { kept, store } from './store';

export interface Me {
  session: Session;
  shop: Shop;
  role: Role;
  currency: string;
  /** The till that the key belongs to, if to one: it cannot be another then. */
  bound: string | undefined;
  /** The till that charges are made at. */
  till: string | undefined;
}

/** Undefined: not known yet; null: nobody is signed in. */
export const me = store<Me | null | undefined>(undefined);

/** Loads what the session may see of its shop. */
export async function enter(session: Session, signal?: AbortSignal): Promise<void> {
  const [shop, balance] = await Promise.all([readShop(signal), readBalance(signal)]);
  const who = session.who as Session['who'] & { till?: string | null };
  const bound = who.till ?? undefined;
  const till = bound ?? kept.read<string>(`here.${shop.id}`);
  me.set({ session, shop, role: (who.role ?? 'viewer') as Role, currency: balance.available.currency, bound, till });
}

/** The session that the browser has, if it has one. */
export async function resume(): Promise<void> {
  const session = await current('merchant');
  if (session) await enter(session);
  else me.set(null);
}

export async function leave(): Promise<void> {
  await signOut('merchant');
  me.set(null);
}

/** Which till this device is, where the key leaves that open. */
export function chooseTill(till: string | undefined): void {
  const now = me.get();
  if (!now) return;
  kept.write(`here.${now.shop.id}`, till);
  me.set({ ...now, till });
}

const RANK: Record<Role, number> = { viewer: 0, staff: 1, admin: 2 };

/** Whether the key's role reaches so far. What it does not reach is not offered. */
export const can = (needed: Role): boolean => {
  const now = me.get();
  return now !== null && now !== undefined && RANK[now.role] >= RANK[needed];
};

/** For screens that are shown to signed-in people only. */
export function useMe(): Me {
  const now = me.use();
  if (!now) throw new Error('nobody is signed in');
  return now;
}
