/** The resident's part of the API, and the shapes that the screens pass around. */
import type { components } from '../api/schema';
import { call } from '../lib/call';
import type { Amount } from '../lib/format';
import { type Session, took } from '../lib/session';

type Schemas = components['schemas'];
export type Me = Schemas['MeAnswer'];
export type Balance = Schemas['BalanceAnswer'];
export type Entry = Schemas['EntryAnswer'];
export type Waiting = Schemas['WaitingAnswer'];
export type Bill = Schemas['BillAnswer'];
export type Quote = Schemas['QuoteAnswer'];
export type BillPayment = Schemas['PaymentAnswer'];
export type PaidBill = Schemas['PaidBillAnswer'];
export type Receipt = Schemas['ReceiptAnswer'];
export type Device = Schemas['DeviceAnswer'];
export type Category = Schemas['Category'];
export type Name = Schemas['Name'];
export type Found = Schemas['ScannedAnswer'];
export type Biller = Schemas['BillerAnswer'] & {
  city?: Name | null;
  account?: { label: Name; format: string; example: string; check_digit: boolean };
};

export interface SavedAccount {
  biller: string;
  biller_name: Name;
  category: Category;
  account_no: string;
  label?: string | null;
  remind: boolean;
}
export interface Due {
  biller: string;
  biller_name: Name;
  category: Category;
  account_no: string;
  label?: string | null;
  remind: boolean;
  bill: string;
  amount: Amount;
  due_on: string;
  overdue: boolean;
}
export interface MonthSum {
  month: string;
  count: number;
  amount: Amount;
}
export interface Passkey {
  id: string;
  name: string;
  created_at: string;
}
export interface BillFilter {
  from?: string;
  to?: string;
  category?: string;
  biller?: string;
}

const any = call as unknown as (method: string, path: string, options?: unknown) => Promise<unknown>;
const list = (answer: unknown): unknown[] => (Array.isArray(answer) ? answer : ((answer as { items: unknown[] }).items ?? []));

export const readCode = (payload: string) => call('post', '/v1/codes/read', { body: { payload } });

export const savedAccounts = async (signal?: AbortSignal) =>
  list(await any('get', '/v1/me/bill-accounts', { signal })) as SavedAccount[];
export const saveAccount = (biller: string, account: string, body: { label?: string; remind: boolean }) =>
  any('put', '/v1/me/bill-accounts/{biller}/{account}', { path: { biller, account }, body });
export const forgetAccount = (biller: string, account: string) =>
  any('delete', '/v1/me/bill-accounts/{biller}/{account}', { path: { biller, account } });
export const dueBills = async (signal?: AbortSignal) => list(await any('get', '/v1/me/due', { signal })) as Due[];

export const billPayments = (query: BillFilter & { cursor?: string }, signal?: AbortSignal) =>
  any('get', '/v1/bill-payments', { query, signal }) as Promise<{ items: PaidBill[]; next?: string | null }>;
export const billMonths = async (year: number, signal?: AbortSignal) =>
  list(await any('get', '/v1/bill-payments/months', { query: { year }, signal })) as MonthSum[];

export const personalCode = async (amount: number | undefined, signal?: AbortSignal) =>
  ((await any('get', '/v1/wallet/personal-code', { query: { amount }, signal })) as { payload: string }).payload;

export const passkeys = async (signal?: AbortSignal) => list(await any('get', '/v1/me/passkeys', { signal })) as Passkey[];
export const passkeyOptions = () => any('post', '/v1/me/passkeys/options', {});
export const addPasskey = (credential: object, name: string) => any('post', '/v1/me/passkeys', { body: { ...credential, name } });
export const removePasskey = (id: string) => any('delete', '/v1/me/passkeys/{passkey}', { path: { passkey: id } });
export const passkeySignInOptions = () => any('post', '/v1/session/passkey/options', {});
export const passkeySignIn = async (credential: object) =>
  took((await any('post', '/v1/session/passkey', { body: credential })) as Session);

export const wallet = (signal?: AbortSignal) => call('get', '/v1/wallet', { signal });
export const me = (signal?: AbortSignal) => call('get', '/v1/me', { signal });
export const waiting = (signal?: AbortSignal) => call('get', '/v1/payments/waiting', { signal });
export const billers = async (signal?: AbortSignal) => (await call('get', '/v1/billers', { signal } as never)).items as Biller[];
export const movements = (cursor: string | undefined, limit: number, signal?: AbortSignal) =>
  any('get', '/v1/wallet/history', { query: { cursor, limit }, signal }) as Promise<{ items: Entry[]; next?: string | null }>;
export const movement = (id: string, signal?: AbortSignal) => call('get', '/v1/payments/{id}', { path: { id }, signal });
export const billsOf = async (id: string, account_no: string, signal?: AbortSignal) =>
  ((await any('get', '/v1/billers/{id}/bills', { path: { id }, query: { account_no }, signal })) as { items: Bill[] }).items;
export const payee = (query: { phone?: string; code?: string }) =>
  any('get', '/v1/wallet/payee', { query }) as Promise<{ name: string; amount?: Amount | null }>;
