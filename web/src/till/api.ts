/** The routes of the till, in one place. Shapes come from the API's document where it has them. */
import type { components } from '../api/schema';
import { call, download } from '../lib/call';
import type { Amount } from '../lib/format';

type Schemas = components['schemas'];
export type Shop = Schemas['ShopAnswer'];
export type Role = Schemas['Role'];
export type Status = Schemas['Status'];
export type Till = Schemas['TillAnswer'];
export type Key = Schemas['KeyAnswer'];
export type NewKey = Schemas['NewKeyAnswer'];
export type Endpoint = Schemas['EndpointAnswer'];
export type NewEndpoint = Schemas['NewEndpointAnswer'];
export type Delivery = Schemas['DeliveryAnswer'];
export type DeliveryLog = Schemas['DeliveryLogAnswer'];
export type DeliveryState = Schemas['DeliveryState'];
export type Trade = Schemas['TradeAnswer'];
export type Refund = Schemas['RefundEntry'];
export type ChargeAnswer = Schemas['ChargeAnswer'];
export type Order = Schemas['PrecreateAnswer'];

export interface Page<I> {
  items: I[];
  next?: string | null;
}
// The shop

export const readShop = (signal?: AbortSignal): Promise<Shop> => call('get', '/v1/merchants/me', { signal });
export const readBalance = (signal?: AbortSignal): Promise<Schemas['ShopBalanceAnswer']> =>
  call('get', '/v1/merchants/me/balance', { signal });

// Charging. The till makes the order number; asking again with it is safe.

export interface Wanted {
  order_no: string;
  amount: Amount;
  till?: string | undefined;
}
export const charge = (order: Wanted, payment_code: string, signal: AbortSignal): Promise<ChargeAnswer> =>
  call('post', '/v1/charges', { body: { ...order, payment_code }, signal, timeoutMs: 10_000 });
export const makeOrder = (order: Wanted, expires_in_s: number, signal: AbortSignal): Promise<Order> =>
  call('post', '/v1/trades', { body: { ...order, expires_in_s }, signal, timeoutMs: 10_000 });
export const readOrder = (order_no: string, signal?: AbortSignal): Promise<Trade> =>
  call('get', '/v1/orders/{order_no}', { path: { order_no }, signal, timeoutMs: 10_000 });
export const closeOrder = (order_no: string, signal?: AbortSignal): Promise<Trade> =>
  call('post', '/v1/orders/{order_no}/close', { path: { order_no }, signal });
export const cancelOrder = (order_no: string, signal?: AbortSignal): Promise<Trade> =>
  call('post', '/v1/orders/{order_no}/cancel', { path: { order_no }, signal });

// Orders

export interface TradeFilter {
  state?: Status;
  from?: string;
  to?: string;
  till?: string;
  order_no?: string;
}
export const listTrades = (filter: TradeFilter, cursor?: string, limit?: number, signal?: AbortSignal): Promise<Page<Trade>> =>
  call('get', '/v1/trades', { query: { ...filter, cursor, limit }, signal });
export const readTrade = (trade: string, signal?: AbortSignal): Promise<Trade> =>
  call('get', '/v1/trades/{trade}', { path: { trade }, signal });
export const listRefunds = (trade: string, signal?: AbortSignal): Promise<Refund[]> =>
  call('get', '/v1/trades/{trade}/refunds', { path: { trade }, signal });
export const refund = (trade: string, refund_no: string, amount: Amount): Promise<Schemas['RefundAnswer']> =>
  call('post', '/v1/trades/{trade}/refunds', { path: { trade }, body: { refund_no, amount } });

// Takings and statements

export type DayTakings = Schemas['TakingsDayAnswer'];
/** Day by day, oldest first; a very busy shop is answered in parts. */
export async function readTakings(from: string, to: string, signal?: AbortSignal): Promise<DayTakings[]> {
  const days: DayTakings[] = [];
  for (let at: string | null | undefined = from; at; ) {
    const page: Page<DayTakings> = await call('get', '/v1/merchants/me/takings', { query: { from: at, to }, signal });
    days.push(...page.items);
    at = page.next;
  }
  return days;
}

export const saveStatement = (day: string, name: string): Promise<void> => download(`/v1/merchants/me/statements/${day}`, name);

export const BREAK_KINDS: Schemas['ListBreakCode'][] = ['missing_here', 'missing_there', 'amount_differs', 'duplicate'];
export type Break = Schemas['ListBreakAnswer'];
export type Matched = Schemas['ReconcileAnswer'];
export const reconcile = (day: string, file: Blob): Promise<Matched> =>
  call('post', '/v1/merchants/me/statements/{day}/reconcile', { path: { day }, body: file, timeoutMs: 300_000 });

export const posterUrl = (paper: 'a5' | 'a6', kind: 'svg' | 'pdf'): string => `/v1/merchants/me/poster.${kind}?paper=${paper}`;

// Tills and keys

export const listTills = (signal?: AbortSignal): Promise<Till[]> =>
  call('get', '/v1/merchants/me/tills', { signal }).then((page) => page.items);
export const addTill = (name: string): Promise<Till> => call('post', '/v1/merchants/me/tills', { body: { name } });
export const closeTill = (till: string): Promise<undefined> => call('delete', '/v1/merchants/me/tills/{till}', { path: { till } });

export const listKeys = (signal?: AbortSignal): Promise<Key[]> => call('get', '/v1/merchants/me/keys', { signal });
export const addKey = (name: string, role: Role, till: string | undefined): Promise<NewKey> =>
  call('post', '/v1/merchants/me/keys', { body: { name, role, till } });
export const endKey = (key: string): Promise<undefined> => call('delete', '/v1/merchants/me/keys/{key}', { path: { key } });

// Webhooks

export const EVENT_TYPES = ['trade.paid', 'trade.refunded', 'trade.closed'] as const;
export const listEndpoints = (signal?: AbortSignal): Promise<Endpoint[]> =>
  call('get', '/v1/merchants/me/webhooks', { signal }).then((page) => page.items);
export const addEndpoint = (url: string, types: string[]): Promise<NewEndpoint> =>
  call('post', '/v1/merchants/me/webhooks', { body: { url, types } });
export const readEndpoint = (endpoint: string, signal?: AbortSignal): Promise<Endpoint> =>
  call('get', '/v1/merchants/me/webhooks/{endpoint}', { path: { endpoint }, signal });
export const deleteEndpoint = (endpoint: string): Promise<undefined> =>
  call('delete', '/v1/merchants/me/webhooks/{endpoint}', { path: { endpoint } });
export const enableEndpoint = (endpoint: string): Promise<Endpoint> =>
  call('post', '/v1/merchants/me/webhooks/{endpoint}/enable', { path: { endpoint } });
export const rotateSecret = (endpoint: string): Promise<{ secret: string }> =>
  call('post', '/v1/merchants/me/webhooks/{endpoint}/rotate', { path: { endpoint } });
export const listDeliveries = (endpoint: string, state: DeliveryState | undefined, cursor?: string, signal?: AbortSignal): Promise<Page<Delivery>> =>
  call('get', '/v1/merchants/me/webhooks/{endpoint}/deliveries', { path: { endpoint }, query: { state, cursor }, signal });
export const readDelivery = (endpoint: string, event: string, signal?: AbortSignal): Promise<DeliveryLog> =>
  call('get', '/v1/merchants/me/webhooks/{endpoint}/deliveries/{event}', { path: { endpoint, event }, signal });
export const resend = (endpoint: string, event: string): Promise<unknown> =>
  call('post', '/v1/merchants/me/webhooks/{endpoint}/deliveries/{event}/resend', { path: { endpoint, event } });
export const replay = (endpoint: string, since: string): Promise<{ events: number; next?: string | null }> =>
  call('post', '/v1/merchants/me/webhooks/{endpoint}/replay', { path: { endpoint }, body: { since }, timeoutMs: 60_000 });
