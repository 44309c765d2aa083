/** The resident's part of the API, and the shapes that the screens pass around. */
import type { components } from '../api/schema';
import { call } from '../lib/call';
import { type Session, took } from '../lib/session';

type Schemas = components['schemas'];
export type Me = Schemas['MeAnswer'];
export type Balance = Schemas['BalanceAnswer'];
export type Entry = Schemas['EntryAnswer'];
export type Waiting = Schemas['WaitingAnswer'];
export type Biller = Schemas['BillerAnswer'];
export type Bill = Schemas['BillAnswer'];
export type Quote = Schemas['QuoteAnswer'];
export type BillPayment = Schemas['PaymentAnswer'];
export type FeeLine = Schemas['LateFeeLineAnswer'];
export type Arrears = Schemas['ArrearsAnswer'];
export type PaidAccount = Schemas['PaidAccountAnswer'];
export type Held = Schemas['AdvanceAnswer'];
export type HeldMovement = Schemas['AdvanceMovementAnswer'];
export type Supply = Schemas['SupplyAnswer'];
export type Mandate = Schemas['MandateAnswer'];
export type MandateRun = Schemas['MandateRunAnswer'];
export type MandateWish = Schemas['MandateRequest'];
export type NoteKind = Schemas['NoteKind'];
export type Reminders = Schemas['ReminderPreferences'];
export type FamilyLink = Schemas['FamilyLinkAnswer'];
export type FamilyMay = Schemas['FamilyMay'];
export type PaidBill = Schemas['PaidBillAnswer'];
export type Receipt = Schemas['ReceiptAnswer'];
export type Device = Schemas['DeviceAnswer'];
export type Passkey = Schemas['PasskeyAnswer'];
export type Category = Schemas['Category'];
export type Name = Schemas['Name'];
export type Coupon = Schemas['CouponAnswer'];
export type UsedCoupon = Schemas['UsedCoupon'];
export type Found = Schemas['ScannedAnswer'];
export interface BillFilter {
  from?: string;
  to?: string;
  category?: Category;
  biller?: string;
}

export const me = (signal?: AbortSignal) => call('get', '/v1/me', { signal });
export const wallet = (signal?: AbortSignal) => call('get', '/v1/wallet', { signal });
export const movements = (cursor: string | undefined, limit: number, signal?: AbortSignal) =>
  call('get', '/v1/wallet/history', { query: { cursor, limit }, signal });
export const movement = (id: string, signal?: AbortSignal) => call('get', '/v1/payments/{id}', { path: { id }, signal });
export const payee = (query: { phone?: string; code?: string }) => call('get', '/v1/wallet/payee', { query });
export const personalCode = async (amount: number | undefined, signal?: AbortSignal) =>
  (await call('get', '/v1/wallet/personal-code', { query: { amount }, signal })).payload;

export const readCode = (payload: string) => call('post', '/v1/codes/read', { body: { payload } });
/** Paying waits for it, so it is given little time. */
export const coupons = async (shop: string, amount: number, signal?: AbortSignal) =>
  (await call('get', '/v1/coupons', { query: { shop, amount }, signal, timeoutMs: 4_000 })).items;
export const waiting = (signal?: AbortSignal) => call('get', '/v1/payments/waiting', { signal });

export const billers = async (signal?: AbortSignal) => (await call('get', '/v1/billers', { signal })).items;
export const billsOf = async (id: string, account_no: string, signal?: AbortSignal) =>
  (await call('get', '/v1/billers/{id}/bills', { path: { id }, query: { account_no }, signal })).items;
export const savedAccounts = async (signal?: AbortSignal) => (await call('get', '/v1/me/bill-accounts', { signal })).items;
export const saveAccount = (biller: string, account: string, body: Schemas['SaveRequest']) =>
  call('put', '/v1/me/bill-accounts/{biller}/{account}', { path: { biller, account }, body });
export const forgetAccount = (biller: string, account: string) =>
  call('delete', '/v1/me/bill-accounts/{biller}/{account}', { path: { biller, account } });
export const dueBills = async (signal?: AbortSignal) => (await call('get', '/v1/me/due', { signal })).items;
export const billPayments = (query: BillFilter & { cursor?: string; limit?: number }, signal?: AbortSignal) =>
  call('get', '/v1/bill-payments', { query, signal });
export const billMonths = async (year: number, signal?: AbortSignal) =>
  (await call('get', '/v1/bill-payments/months', { query: { year }, signal })).items;

export const arrears = (id: string, account_no: string, signal?: AbortSignal) =>
  call('get', '/v1/billers/{id}/arrears', { path: { id }, query: { account_no }, signal });
export const supply = (id: string, account: string, signal?: AbortSignal) =>
  call('get', '/v1/billers/{id}/supply/{account}', { path: { id, account }, signal });
export const held = (biller: string, account: string, signal?: AbortSignal) =>
  call('get', '/v1/me/bill-accounts/{biller}/{account}/advance', { path: { biller, account }, query: { limit: 20 }, signal });
export const takeBack = (payment: string) => call('post', '/v1/bills/advance/{payment}/return', { path: { payment } });
export const payFromHeld = (id: string) => call('post', '/v1/bills/{id}/pay-from-advance', { path: { id } });

export const mandates = (cursor?: string, signal?: AbortSignal) => call('get', '/v1/mandates', { query: { cursor, limit: 50 }, signal });
export const mandate = (id: string, signal?: AbortSignal) => call('get', '/v1/mandates/{id}', { path: { id }, signal });
export const mandateRuns = (id: string, cursor?: string, signal?: AbortSignal) =>
  call('get', '/v1/mandates/{id}/runs', { path: { id }, query: { cursor, limit: 20 }, signal });
export const makeMandate = (body: MandateWish, key: string) => call('post', '/v1/mandates', { body, key });
export const turnMandate = (id: string, to: 'pause' | 'resume' | 'revoke') =>
  to === 'pause'
    ? call('post', '/v1/mandates/{id}/pause', { path: { id } })
    : to === 'resume'
      ? call('post', '/v1/mandates/{id}/resume', { path: { id } })
      : call('post', '/v1/mandates/{id}/revoke', { path: { id } });
export const skipBill = (id: string, bill: string) => call('post', '/v1/mandates/{id}/skip', { path: { id }, body: { bill } });

export const inbox = (cursor?: string, limit = 20, signal?: AbortSignal) => call('get', '/v1/inbox', { query: { cursor, limit }, signal });
export const unread = async (signal?: AbortSignal) => (await inbox(undefined, 1, signal)).unread;
export const readNotes = (ids: string[]) => call('post', '/v1/inbox/read', { body: { ids } });
export const reminders = (signal?: AbortSignal) => call('get', '/v1/me/reminders', { signal });
export const setReminders = (body: Reminders) => call('put', '/v1/me/reminders', { body });

export const family = async (signal?: AbortSignal) => (await call('get', '/v1/family', { signal })).items;
export const familyLink = async (id: string, signal?: AbortSignal) => (await call('get', '/v1/family/{id}', { path: { id }, signal })).link;
export const familyDue = async (id: string, signal?: AbortSignal) => (await call('get', '/v1/family/{id}/due', { path: { id }, signal })).items;
export const inviteFamily = (body: Schemas['FamilyInviteRequest'], key: string) => call('post', '/v1/family', { body, key });
export const consentFamily = (id: string, may: FamilyMay, pin: string) => call('post', '/v1/family/{id}/consent', { path: { id }, body: { may, pin } });
export const endFamily = (id: string) => call('post', '/v1/family/{id}/end', { path: { id } });

export const status = (query: { region?: string; state?: Schemas['StateName']; cursor?: string; limit?: number }, signal?: AbortSignal) =>
  call('get', '/v1/status', { query, signal });

export const passkeys = (signal?: AbortSignal) => call('get', '/v1/me/passkeys', { signal });
export const passkeyOptions = (pin: string | undefined) => call('post', '/v1/me/passkeys/options', { body: { pin } });
export const addPasskey = (body: Schemas['PasskeyRequest']) => call('post', '/v1/me/passkeys', { body });
export const removePasskey = (passkey: string) => call('delete', '/v1/me/passkeys/{passkey}', { path: { passkey } });
export const passkeySignInOptions = () => call('post', '/v1/session/passkey/options');
export const passkeySignIn = async (body: Schemas['PasskeySignInRequest']) =>
  took((await call('post', '/v1/session/passkey', { body })) as Session);
