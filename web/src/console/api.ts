/**
 * The routes of the console, in one place. Their shapes come from the API's document where it has them; those that operators alone
 * use are written here as narrowly as the screens need them.
 */
import type { components } from '../api/schema';
import { Failure, call } from '../lib/call';
import type { Amount } from '../lib/format';

type Schemas = components['schemas'];
export type Biller = Schemas['BillerAnswer'];
export type Shop = Schemas['ShopAnswer'];
export type OpenShop = Schemas['OpenRequest'];
export type Report = Schemas['Report'];
export type Totals = Schemas['Totals'];
export type RowError = Schemas['RowErrorAnswer'];
export type NewKey = Schemas['NewKeyAnswer'];
export type NewOperator = Schemas['NewOperatorAnswer'];
export type Moved = Schemas['MovedAnswer'];
export type Role = Schemas['Role'];

export interface Page<I> {
  items: I[];
  next?: string | null;
}
interface Ask {
  path?: Record<string, string>;
  query?: Record<string, string | number | undefined>;
  body?: unknown;
  key?: string;
  signal?: AbortSignal;
  timeoutMs?: number;
}
type Method = 'get' | 'post' | 'put' | 'delete';
const ask = call as unknown as <T>(method: Method, path: string, options?: Ask) => Promise<T>;
const UPLOAD_MS = 600_000;

// The live city

export interface ChannelTally {
  channel: string;
  payments: number;
  value: Amount;
}
export interface Minute {
  /** The beginning of the minute. */
  at: string;
  payments: number;
  value: Amount;
  channels: ChannelTally[];
  /** Requests to pay that the node which answers took, and refused. */
  ok_here: number;
  refused_here: number;
}
export interface BooksReport {
  accounts: number;
  transfers: number;
  bank_minor: number;
  wallets_minor: number;
  shops_minor: number;
  billers_minor: number;
  fees_minor: number;
  campaigns_minor: number;
  differences: number;
  /** The first of them; the id is empty for the books as a whole. */
  first: { id: string; what: string }[];
  stopped?: string | null;
}
export interface BooksCheck {
  state: 'never' | 'running' | 'passed' | 'failed' | 'stopped';
  by?: string | null;
  started_at?: string | null;
  /** How far the one that runs is. */
  transfers?: number | null;
  accounts?: number | null;
  /** When the last one ended, and what it found. */
  finished_at?: string | null;
  report?: BooksReport | null;
}
export interface Alert {
  code: string;
  severity: 'critical' | 'warning';
  since?: string | null;
  /** The id of what it is about; may be empty. */
  subject: string;
  detail: string;
}
export interface Live {
  at: string;
  last_60_s: Omit<Minute, 'at'> & { peak_per_second: number; success_bp?: number | null; refusals: Record<string, number> };
  /** The last sixty minutes, oldest first; the last is not over. */
  minutes: Minute[];
  refusals: Record<string, number>;
  health: { database: boolean; database_engine: string; ledger: boolean };
  feed: { committed_at?: string | null; followers: { name: string; lag_ms: number }[] };
  check: BooksCheck;
  alerts: Alert[];
}

export const live = (signal: AbortSignal): Promise<Live> => ask('get', '/v1/operator/live', { signal, timeoutMs: 8_000 });
export const startCheck = (): Promise<unknown> => ask('post', '/v1/operator/checks');

// Billers, their files and their days

export const billers = (signal: AbortSignal): Promise<Page<Biller>> => ask('get', '/v1/billers', { signal });
export const biller = (id: string, signal: AbortSignal): Promise<Biller> => ask('get', '/v1/billers/{id}', { path: { id }, signal });
export const addBiller = (pack: string, reason: string): Promise<Biller> => ask('post', '/v1/billers', { body: pack, query: { reason } });

export interface PackCheck {
  check: string;
  ok: boolean;
  /** A key of the pack, or line and field of the sample; may be empty. */
  place: string;
  /** Why not, or what was found. */
  why: string;
}
export interface PackChecks {
  ok: boolean;
  checks: PackCheck[];
  biller?: string | null;
  pack?: string | null;
  rule_version?: string | null;
  /** The version that is in force now; absent for a new biller. */
  in_force?: string | null;
  bills: { account_no: string; bill_no: string; holder: string; amount: Amount; due: string }[];
}
/** The sample goes as base64: bill files are often GB 18030, which is no JSON. */
export async function checkPack(pack: string, sample: File | undefined): Promise<PackChecks> {
  const body = { pack, sample: sample && base64(new Uint8Array(await sample.arrayBuffer())) };
  return ask('post', '/v1/operator/packs/check', { body, timeoutMs: UPLOAD_MS });
}
function base64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

export interface Import {
  import: Schemas['ImportAnswer'];
  /** Whose it is, where the answer says so. */
  biller?: string | null;
  biller_name?: Biller['name'] | null;
  done: boolean;
  /** Why it stopped; it goes on when its file is handed in again. */
  stopped?: string | null;
}
export const imports = (query: { biller?: string; cursor?: string }, signal: AbortSignal): Promise<Page<Import>> =>
  ask('get', '/v1/operator/imports', { query, signal });
export const importErrors = (id: string, cursor: string | undefined, signal: AbortSignal): Promise<Page<RowError>> =>
  ask('get', '/v1/operator/imports/{id}/errors', { path: { id }, query: { cursor }, signal });
export const upload = (id: string, file: File): Promise<Import> =>
  ask('post', '/v1/operator/billers/{id}/imports', { path: { id }, query: { name: file.name }, body: file, timeoutMs: UPLOAD_MS });

export type BreakItem = Schemas['BreakAnswer'] & {
  id: string;
  biller: string;
  day: string;
  state: 'open' | 'accepted';
  accepted_by?: string | null;
  accepted_by_name?: string | null;
  accepted_at?: string | null;
  reason?: string | null;
};
export interface SettlementRow {
  biller: string;
  pack: string;
  name: Biller['name'];
  report?: Report | null;
  open_breaks: number;
}
export const settlements = (day: string, signal: AbortSignal): Promise<Page<SettlementRow>> =>
  ask('get', '/v1/operator/settlements', { query: { day }, signal });

const DAY = '/v1/billers/{id}/settlements/{day}';
/** The report of a day; nothing where it was not run yet. */
export async function report(id: string, day: string, signal: AbortSignal): Promise<Report | undefined> {
  try {
    return await ask<Report>('get', DAY, { path: { id, day }, signal });
  } catch (error) {
    if (error instanceof Failure && error.code === 'not_reconciled') return undefined;
    throw error;
  }
}
export const reconcile = (id: string, day: string): Promise<Report> =>
  ask('post', `${DAY}/reconcile`, { path: { id, day }, timeoutMs: UPLOAD_MS });
export interface BreaksOf {
  biller?: string;
  day?: string;
  state?: BreakItem['state'];
}
export const breaks = (of: BreaksOf, cursor: string | undefined, signal: AbortSignal): Promise<Page<BreakItem>> =>
  ask('get', '/v1/operator/breaks', { query: { ...of, cursor }, signal });
export const acceptBreak = ({ biller: id, day, id: found }: BreakItem, reason: string): Promise<BreakItem> =>
  ask('post', `${DAY}/breaks/{found}/accept`, { path: { id, day, found }, body: { reason } });
export const bankStatement = (id: string, day: string, file: File): Promise<Totals> =>
  ask('put', `${DAY}/bank`, { path: { id, day }, body: file, timeoutMs: UPLOAD_MS });
export const settlementFile = (id: string, day: string): string =>
  `/v1/billers/${encodeURIComponent(id)}/settlements/${encodeURIComponent(day)}/file`;

// People and shops: each look is written down with its reason

export interface ResidentSeen {
  id: string;
  phone: string;
  name: string;
  has_pin: boolean;
  pin_locked: boolean;
  created_at: string;
  /** This and what follows: for staff. */
  tier?: number | null;
  available?: Amount | null;
  held?: Amount | null;
  /** `lifetime` or a year. */
  allowance_window?: string | null;
  allowance_left?: Amount | null;
}
export const findResidents = (q: string, reason: string): Promise<Page<ResidentSeen>> =>
  ask('get', '/v1/operator/residents', { query: { q, reason } });
export const raiseTier = (resident: string, tier: number, reason: string): Promise<unknown> =>
  ask('put', '/v1/residents/{resident}/tier', { path: { resident }, body: { tier, reason } });
export const enrol = (phone: string, name: string): Promise<{ id: string }> => ask('post', '/v1/residents', { body: { phone, name } });

export interface ShopSeen {
  id: string;
  reference: string;
  name: string;
  legal_id?: string | null;
  mcc: string;
  city: string;
  region: string;
  created_at: string;
  closed_at?: string | null;
  /** This and what follows: for staff. */
  available?: Amount | null;
  reserved?: Amount | null;
}
export const findShops = (q: string, reason: string): Promise<Page<ShopSeen>> =>
  ask('get', '/v1/operator/shops', { query: { q, reason } });
export const openShop = (body: OpenShop): Promise<Shop> => ask('post', '/v1/merchants', { body });
export const closeShop = (merchant: string, reason: string): Promise<Shop> =>
  ask('post', '/v1/merchants/{merchant}/close', { path: { merchant }, query: { reason } });

// Money

export type Movement = 'deposit' | 'withdrawal' | 'payout';
export interface Booking {
  kind: Movement;
  /** `res_…` or `mch_…`. */
  subject: string;
  amount: Amount;
  reference: string;
  reason: string;
}
export interface Person {
  id: string;
  name?: string | null;
}
export interface Approval {
  id: string;
  kind: Movement | 'campaign';
  subject: string;
  /** The shop's or the campaign's name, or the resident's, masked. */
  subject_name: string;
  amount: Amount;
  reference: string;
  reason?: string | null;
  asked_by: Person;
  asked_at: string;
  state: 'waiting' | 'rejected' | 'approved' | 'booked' | 'failed';
  decided_by?: Person | null;
  decided_at?: string | null;
  decision_reason?: string | null;
  /** Why it failed: the code of the refusal. */
  outcome?: string | null;
  payment?: string | null;
}
/** Booked at once, or waiting for a second operator. The bank's reference moves money once, however often it is sent. */
export type Booked = { moved: Moved } | { approval: Approval };

export async function book({ kind, subject, amount, reference, reason }: Booking): Promise<Booked> {
  const answer =
    kind === 'payout'
      ? await ask<Moved | Approval>('post', '/v1/merchants/{subject}/payouts', { path: { subject }, body: { amount, reference, reason } })
      : await ask<Moved | Approval>('post', kind === 'deposit' ? '/v1/deposits' : '/v1/withdrawals', {
          body: { resident: subject, amount, reference, reason },
        });
  return 'asked_at' in answer ? { approval: answer } : { moved: answer };
}
export const approvals = (state: Approval['state'] | undefined, cursor: string | undefined, signal: AbortSignal): Promise<Page<Approval>> =>
  ask('get', '/v1/operator/approvals', { query: { state, cursor }, signal });
export const decide = (id: string, verdict: 'approve' | 'reject', reason: string): Promise<Approval> =>
  ask('post', `/v1/operator/approvals/{id}/${verdict}`, { path: { id }, body: { reason } });

export type Verdict = Schemas['Verdict'];
/** Ends a bill payment whose biller stays silent, as the biller says when asked by other means. */
export const endBillPayment = (id: string, outcome: Verdict, reference: string, reason: string): Promise<Schemas['ResolveBillPaymentAnswer']> =>
  ask('post', '/v1/bill-payments/{id}/resolve', { path: { id }, body: { outcome, reference, reason } });

// Coupons

export type Campaign = Schemas['CampaignAnswer'];
export type NewCampaign = Schemas['CampaignRequest'];
export const campaigns = (cursor: string | undefined, signal: AbortSignal): Promise<Page<Campaign>> =>
  ask('get', '/v1/operator/campaigns', { query: { cursor }, signal });
/** Sets one up; the same key is the same campaign. A large budget waits for a second operator. */
export const addCampaign = (body: NewCampaign, key: string): Promise<Schemas['CreatedCampaignAnswer']> =>
  ask('post', '/v1/operator/campaigns', { body, key });
export const endCampaign = (campaign: string, reason: string): Promise<Schemas['EndedCampaignAnswer']> =>
  ask('post', '/v1/operator/campaigns/{campaign}/end', { path: { campaign }, query: { reason } });

// Who did what; keys

export interface Act {
  id: string;
  at: string;
  operator: string;
  operator_name?: string | null;
  key: string;
  action: string;
  subject: string;
  detail: string;
  reason?: string | null;
  outcome?: string | null;
}
export const audit = (cursor: string | undefined, signal: AbortSignal): Promise<Page<Act>> =>
  ask('get', '/v1/operator/audit', { query: { cursor, limit: 200 }, signal });

export const addShopKey = (merchant: string, role: Role, name: string, reason: string): Promise<NewKey> =>
  ask('post', '/v1/merchants/{merchant}/keys', { path: { merchant }, body: { role, name, reason } });
export const addKey = (owner: string, role: Role, name: string, reason: string): Promise<NewKey> =>
  ask('post', '/v1/keys', { body: { owner, role, name, reason } });
export const endKey = (key: string, reason: string): Promise<unknown> => ask('delete', '/v1/keys/{key}', { path: { key }, query: { reason } });
export type Key = Schemas['KeyAnswer'];
export interface OperatorSeen {
  id: string;
  name: string;
  created_at: string;
  keys: Key[];
}
export const operators = (signal: AbortSignal): Promise<Page<OperatorSeen>> => ask('get', '/v1/operators', { signal });
export const keysOf = (owner: string, signal: AbortSignal): Promise<Page<Key>> => ask('get', '/v1/keys', { query: { owner }, signal });
export const addOperator = (name: string, reason: string): Promise<NewOperator> => ask('post', '/v1/operators', { body: { name, reason } });
