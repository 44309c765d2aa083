/** The routes of the console, in one place, with the shapes of the API's document. */
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
const UPLOAD_MS = 600_000;

// The live city

export type ChannelTally = Schemas['ChannelAnswer'];
export type Minute = Schemas['MinuteAnswer'];
export type BooksReport = Schemas['CheckReport'];
export type BooksCheck = Schemas['CheckAnswer'];
export type Alert = Schemas['Alert'];
export type Live = Schemas['LiveAnswer'];

export const live = (signal: AbortSignal): Promise<Live> => call('get', '/v1/operator/live', { signal, timeoutMs: 8_000 });
export const startCheck = (): Promise<unknown> => call('post', '/v1/operator/checks');

// Billers, their files and their days

export const billers = (signal: AbortSignal): Promise<Page<Biller>> => call('get', '/v1/billers', { signal });
export const biller = (id: string, signal: AbortSignal): Promise<Biller> => call('get', '/v1/billers/{id}', { path: { id }, signal });
export const addBiller = (pack: string, reason: string): Promise<Biller> => call('post', '/v1/billers', { body: pack, query: { reason } });

export type PackCheck = Schemas['PackCheck'];
export type PackChecks = Schemas['TrialAnswer'];
/** The sample goes as base64: bill files are often GB 18030, which is no JSON. */
export async function checkPack(pack: string, sample: File | undefined): Promise<PackChecks> {
  const body = { pack, sample: sample && base64(new Uint8Array(await sample.arrayBuffer())) };
  return call('post', '/v1/operator/packs/check', { body, timeoutMs: UPLOAD_MS });
}
function base64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

export type Import = Schemas['DeskImportAnswer'];
export const imports = (query: { biller?: string; cursor?: string }, signal: AbortSignal): Promise<Page<Import>> =>
  call('get', '/v1/operator/imports', { query, signal });
export const importErrors = (id: string, cursor: string | undefined, signal: AbortSignal): Promise<Page<RowError>> =>
  call('get', '/v1/operator/imports/{id}/errors', { path: { id }, query: { cursor }, signal });
export const upload = (id: string, file: File): Promise<Import> =>
  call('post', '/v1/operator/billers/{id}/imports', { path: { id }, query: { name: file.name }, body: file, timeoutMs: UPLOAD_MS });

export type BreakItem = Schemas['DeskBreakAnswer'];
export type SettlementRow = Schemas['SettlementAnswer'];
export const settlements = (day: string, signal: AbortSignal): Promise<Page<SettlementRow>> =>
  call('get', '/v1/operator/settlements', { query: { day }, signal });

const DAY = '/v1/billers/{id}/settlements/{day}' as const;
/** The report of a day; nothing where it was not run yet. */
export async function report(id: string, day: string, signal: AbortSignal): Promise<Report | undefined> {
  try {
    return await call('get', DAY, { path: { id, day }, signal });
  } catch (error) {
    if (error instanceof Failure && error.code === 'not_reconciled') return undefined;
    throw error;
  }
}
export const reconcile = (id: string, day: string, reason: string): Promise<Report> =>
  call('post', `${DAY}/reconcile`, { path: { id, day }, query: { reason }, timeoutMs: UPLOAD_MS });
export interface BreaksOf {
  biller?: string;
  day?: string;
  state?: BreakItem['state'];
}
export const breaks = (of: BreaksOf, cursor: string | undefined, signal: AbortSignal): Promise<Page<BreakItem>> =>
  call('get', '/v1/operator/breaks', { query: { ...of, cursor }, signal });
export const acceptBreak = ({ biller: id, day, id: found }: BreakItem, reason: string): Promise<BreakItem> =>
  call('post', `${DAY}/breaks/{break}/accept`, { path: { id, day, break: found }, body: { reason } });
export const bankStatement = (id: string, day: string, file: File, reason: string): Promise<Totals> =>
  call('put', `${DAY}/bank`, { path: { id, day }, query: { reason }, body: file, timeoutMs: UPLOAD_MS });
export const settlementFile = (id: string, day: string): string =>
  `/v1/billers/${encodeURIComponent(id)}/settlements/${encodeURIComponent(day)}/file`;

// People and shops: each look is written down with its reason

export type ResidentSeen = Schemas['SeenResidentAnswer'];
export const findResidents = (q: string, reason: string): Promise<Page<ResidentSeen>> =>
  call('get', '/v1/operator/residents', { query: { q, reason } });
export const raiseTier = (resident: string, tier: number, reason: string): Promise<unknown> =>
  call('put', '/v1/residents/{resident}/tier', { path: { resident }, body: { tier, reason } });
export const enrol = (phone: string, name: string, reason: string): Promise<{ id: string }> =>
  call('post', '/v1/residents', { body: { phone, name, reason } });

export type ShopSeen = Schemas['SeenShopAnswer'];
export const findShops = (q: string, reason: string): Promise<Page<ShopSeen>> =>
  call('get', '/v1/operator/shops', { query: { q, reason } });
export const openShop = (body: OpenShop): Promise<Shop> => call('post', '/v1/merchants', { body });
export const closeShop = (merchant: string, reason: string): Promise<Shop> =>
  call('post', '/v1/merchants/{merchant}/close', { path: { merchant }, query: { reason } });

// Money

export type Movement = Exclude<Schemas['MovementKind'], 'campaign' | 'collector' | 'advance_return'>;
export interface Booking {
  kind: Movement;
  /** `res_…` or `mch_…`. */
  subject: string;
  amount: Amount;
  reference: string;
  reason: string;
}
export type Approval = Schemas['ApprovalAnswer'];
/** Booked at once, or waiting for a second operator. The bank's reference moves money once, however often it is sent. */
export type Booked = { moved: Moved } | { approval: Approval };

export async function book({ kind, subject, amount, reference, reason }: Booking): Promise<Booked> {
  const of = { amount, reference, reason };
  const answer =
    kind === 'payout'
      ? await call('post', '/v1/merchants/{merchant}/payouts', { path: { merchant: subject }, body: of })
      : kind === 'deposit'
        ? await call('post', '/v1/deposits', { body: { resident: subject, ...of } })
        : await call('post', '/v1/withdrawals', { body: { resident: subject, ...of } });
  return 'asked_at' in answer ? { approval: answer } : { moved: answer };
}
export const approvals = (state: Approval['state'] | undefined, cursor: string | undefined, signal: AbortSignal): Promise<Page<Approval>> =>
  call('get', '/v1/operator/approvals', { query: { state, cursor }, signal });
export const decide = (approval: string, verdict: 'approve' | 'reject', reason: string): Promise<Approval> => {
  const of = { path: { approval }, body: { reason } };
  return verdict === 'approve'
    ? call('post', '/v1/operator/approvals/{approval}/approve', of)
    : call('post', '/v1/operator/approvals/{approval}/reject', of);
};

export type Verdict = Schemas['Verdict'];
/** Ends a bill payment whose biller stays silent, as the biller says when asked by other means. */
export const endBillPayment = (id: string, outcome: Verdict, reference: string, reason: string): Promise<Schemas['ResolveBillPaymentAnswer']> =>
  call('post', '/v1/bill-payments/{id}/resolve', { path: { id }, body: { outcome, reference, reason } });

// Coupons

export type Campaign = Schemas['CampaignAnswer'];
export type NewCampaign = Schemas['CampaignRequest'];
export const campaigns = (cursor: string | undefined, signal: AbortSignal): Promise<Page<Campaign>> =>
  call('get', '/v1/operator/campaigns', { query: { cursor }, signal });
/** Sets one up; the same key is the same campaign. A large budget waits for a second operator. */
export const addCampaign = (body: NewCampaign, key: string): Promise<Schemas['CreatedCampaignAnswer']> =>
  call('post', '/v1/operator/campaigns', { body, key });
export const endCampaign = (campaign: string, reason: string): Promise<Schemas['EndedCampaignAnswer']> =>
  call('post', '/v1/operator/campaigns/{campaign}/end', { path: { campaign }, query: { reason } });

// Who did what; keys

export type Act = Schemas['ActAnswer'];
export const audit = (cursor: string | undefined, signal: AbortSignal): Promise<Page<Act>> =>
  call('get', '/v1/operator/audit', { query: { cursor, limit: 200 }, signal });

export const addShopKey = (merchant: string, role: Role, name: string, reason: string): Promise<NewKey> =>
  call('post', '/v1/merchants/{merchant}/keys', { path: { merchant }, body: { role, name, reason } });
export const addKey = (owner: string, role: Role, name: string, reason: string): Promise<NewKey> =>
  call('post', '/v1/keys', { body: { owner, role, name, reason } });
export const endKey = (key: string, reason: string): Promise<unknown> => call('delete', '/v1/keys/{key}', { path: { key }, query: { reason } });
export type Key = Schemas['KeyAnswer'];
export type OperatorSeen = Schemas['OperatorAnswer'];
export const operators = (signal: AbortSignal): Promise<Page<OperatorSeen>> => call('get', '/v1/operators', { signal });
export const keysOf = (owner: string, signal: AbortSignal): Promise<Page<Key>> => call('get', '/v1/keys', { query: { owner }, signal });
export const addOperator = (name: string, reason: string): Promise<NewOperator> => call('post', '/v1/operators', { body: { name, reason } });

// Where bills can be paid

export type RegionCovered = Schemas['RegionAnswer'];
export type Covered = Schemas['CoverageAnswer'];
export type RegionMonth = RegionCovered & { month: string };
export type Gain = Schemas['GainAnswer'];
export type UnequalMonth = Schemas['UnequalMonth'];
export type Category = Schemas['Category'];
export interface Look {
  level: 'province' | 'prefecture' | 'county';
  parent?: string;
  category?: Category;
  way?: string;
  month?: string;
}
export const coverage = (query: Look, signal: AbortSignal): Promise<Covered> => call('get', '/v1/operator/coverage', { query, signal });
/** The document calls this answer as it calls the list of a wallet's movements; this is what it is. */
export const coverageHistory = async (query: Look, signal: AbortSignal): Promise<RegionMonth[]> => {
  const answer: unknown = await call('get', '/v1/operator/coverage/history', { query, signal });
  return (answer as Page<RegionMonth>).items;
};
export const coverageNext = (query: Look, signal: AbortSignal): Promise<Page<Gain>> => call('get', '/v1/operator/coverage/next', { query, signal });
export type Measure = 'payments_per_1000' | 'payments' | 'covered';
export const inequality = ({ month: _, way, ...of }: Look, measure: Measure, signal: AbortSignal): Promise<Page<UnequalMonth>> =>
  call('get', '/v1/operator/coverage/inequality', { query: { ...of, measure, ...(measure === 'covered' ? { way } : {}) }, signal });
export const coverageFile = (look: Look): string => {
  const given = Object.entries(look).filter(([, value]) => value !== undefined);
  return `/v1/operator/coverage.csv?${new URLSearchParams(given as [string, string][])}`;
};

// What the bank is asked to pay to billers

export type Payout = Schemas['PayoutAnswer'];
export type PayoutBatch = Schemas['PayoutBatchAnswer'];
export type PayoutBreak = Schemas['PayoutBreakAnswer'];
export const PAYOUT_STATES = ['due', 'sent', 'accepted', 'booked', 'rejected', 'returned'] as const;
export type PayoutState = (typeof PAYOUT_STATES)[number];
/** What a message of the bank came to. */
export interface Taken {
  breaks: number;
  changed: number;
  repeated: boolean;
}
export const payouts = (state: PayoutState | undefined, cursor: string | undefined, signal: AbortSignal): Promise<Page<Payout>> =>
  call('get', '/v1/operator/payouts', { query: { state, cursor }, signal });
export const payoutBatches = (cursor: string | undefined, signal: AbortSignal): Promise<Page<PayoutBatch>> =>
  call('get', '/v1/operator/payout-batches', { query: { cursor }, signal });
export const makeBatch = (day: string, reason: string): Promise<PayoutBatch> =>
  call('post', '/v1/operator/payout-batches/{day}', { path: { day }, query: { reason } });
export const batchFile = (name: string): string => `/v1/operator/payout-batches/${encodeURIComponent(name)}/file`;
export const payoutBreaks = (open: boolean, cursor: string | undefined, signal: AbortSignal): Promise<Page<PayoutBreak>> =>
  call('get', '/v1/operator/payout-breaks', { query: { open: open || undefined, cursor }, signal });
export const payoutAgain = (id: string, reason: string): Promise<Payout> => call('post', '/v1/operator/payouts/{id}/again', { path: { id }, query: { reason } });
/** The bank's own message, as it is; the same again changes nothing. */
export const bankMessage = (kind: 'status' | 'statement', file: File, reason: string): Promise<Taken> => {
  const of = { query: { reason }, body: new Blob([file], { type: 'application/xml' }), timeoutMs: UPLOAD_MS };
  return kind === 'status' ? call('post', '/v1/operator/payout-statuses', of) : call('post', '/v1/operator/payout-statements', of);
};

// Who else collects the same bills

export type Collector = Schemas['CollectorAnswer'];
export type NewCollector = Schemas['CollectorRequest'];
export type CollectorClaim = Schemas['ClaimAnswer'];
export const collectors = (cursor: string | undefined, signal: AbortSignal): Promise<Page<Collector>> => call('get', '/v1/operator/collectors', { query: { cursor }, signal });
export const addCollector = (body: NewCollector): Promise<Collector> => call('post', '/v1/operator/collectors', { body });
export const changeCollector = (id: string, body: Schemas['ChangeRequest']): Promise<Collector> => call('patch', '/v1/operator/collectors/{id}', { path: { id }, body });
// The document has two operations of this name; the path is that of this one.
export const collectorClaims = (id: string, cursor: string | undefined, signal: AbortSignal): Promise<Page<CollectorClaim>> =>
  call('get', '/v1/operator/collectors/{id}/claims', { path: { id } as never, query: { cursor }, signal });
export async function handedOver(id: string, amount: Amount, reference: string, reason: string): Promise<Booked> {
  const answer = await call('post', '/v1/operator/collectors/{id}/settlements', { path: { id }, body: { amount, reference, reason } });
  return 'asked_at' in answer ? { approval: answer } : { moved: answer };
}

// Providers and the ways to billers

export type Provider = Schemas['ProviderView'];
export type SyncReport = Schemas['SyncReport'];
export type WayOf = Schemas['WayAnswer'];
export const providers = (signal: AbortSignal): Promise<Page<Provider>> => call('get', '/v1/operator/providers', { signal });
export const syncProvider = (connection: string, reason: string): Promise<SyncReport> =>
  call('post', '/v1/operator/providers/{connection}/sync', { path: { connection }, query: { reason }, timeoutMs: UPLOAD_MS });
export const ways = (signal: AbortSignal): Promise<Page<WayOf>> => call('get', '/v1/operator/ways', { signal });
