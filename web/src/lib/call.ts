/**
 * The API, typed by the document it is generated from (`npm run api`). One function for every route: a path that does not exist,
 * a parameter that is missing or a body of another shape does not compile.
 */
import type { paths } from '../api/schema';
import { learnTime } from './clock';

type Method = 'get' | 'put' | 'post' | 'patch' | 'delete';
type Operation<P extends keyof paths, M extends Method> = NonNullable<paths[P][M]>;
export type PathsOf<M extends Method> = {
  [P in keyof paths]: paths[P] extends Partial<Record<M, infer O>> ? ([O] extends [never | undefined] ? never : P) : never;
}[keyof paths];

type JsonOf<T> = T extends { content: { 'application/json': infer J } } ? J : undefined;
type Good<R> = R extends { 200: infer A } ? JsonOf<A> : R extends { 201: infer A } ? JsonOf<A> : R extends { 202: unknown } ? never : undefined;
type Also<R> = R extends { 202: infer A } ? JsonOf<A> : never;
/** What a route answers when it succeeds. */
export type Answer<P extends keyof paths, M extends Method> =
  Operation<P, M> extends { responses: infer R } ? Good<R> | Also<R> : never;

type Given<T, K extends string> = T extends Record<K, infer V> ? ([V] extends [undefined] ? undefined : V) : undefined;
type Parameters<O> = O extends { parameters: infer Q } ? Q : never;
type BodyOf<O> = O extends { requestBody: { content: infer C } }
  ? C extends { 'application/json': infer J }
    ? J
    : Blob | string
  : undefined;
type Field<K extends string, V> = [V] extends [undefined] ? { [k in K]?: undefined } : { [k in K]: V };
type MaybeField<K extends string, V> = [V] extends [undefined] ? { [k in K]?: undefined } : { [k in K]?: V };
export type Options<O> = Field<'path', Given<Parameters<O>, 'path'>> &
  MaybeField<'query', NonNullable<O extends { parameters: { query?: infer V } } ? V : undefined>> &
  Field<'body', BodyOf<O>> & {
    /** The `Idempotency-Key` of the request. */
    key?: string;
    signal?: AbortSignal;
    timeoutMs?: number;
  };

/**
 * Why a call has no answer. `refused`: the server said no, and nothing was changed. `lost`: nobody knows whether it was done; ask
 * again with the same key. `offline`: it never left.
 */
export class Failure extends Error {
  constructor(
    readonly kind: 'refused' | 'lost' | 'offline',
    readonly code: string,
    readonly detail: string,
    readonly status = 0,
  ) {
    super(`${code}: ${detail}`);
  }
  /** Whether asking the same again may still succeed. */
  get passing(): boolean {
    return this.kind !== 'refused' || this.status >= 500 || this.status === 429;
  }
}

const TIMEOUT_MS = 15_000;
let csrf: string | undefined;
let signedOut: (() => void) | undefined;

/** The token that proves a request is made by this page; from the session's answer. */
export function setCsrf(token: string | undefined): void {
  csrf = token;
}

let session: Promise<unknown> | undefined;

/** Holds back what writes until the page has its session's token, or knows that it cannot have it. */
export function waitToWrite(known: Promise<unknown>): void {
  session = known.catch(() => undefined);
}

/** What to do when the server no longer knows the session. */
export function onSignedOut(act: () => void): void {
  signedOut = act;
}

function address(path: string, options: { path?: unknown; query?: unknown }): string {
  const values = (options.path ?? {}) as Record<string, unknown>;
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(values[name])));
  const query = Object.entries((options.query ?? {}) as Record<string, unknown>).filter(
    ([, value]) => value !== undefined && value !== null && value !== '',
  );
  return query.length === 0 ? filled : `${filled}?${new URLSearchParams(query.map(([k, v]) => [k, String(v)]))}`;
}

async function send(method: string, path: string, options: Options<never>): Promise<Response> {
  const given = options as { path?: unknown; query?: unknown; body?: unknown; key?: string; signal?: AbortSignal; timeoutMs?: number };
  if (method !== 'get') await session;
  const headers = new Headers({ accept: 'application/json, application/problem+json' });
  const raw = typeof given.body === 'string' || given.body instanceof Blob;
  if (given.body !== undefined) headers.set('content-type', raw ? 'application/octet-stream' : 'application/json');
  if (given.key !== undefined) headers.set('idempotency-key', given.key);
  if (method !== 'get' && csrf !== undefined) headers.set('yima-csrf', csrf);
  const deadline = AbortSignal.timeout(given.timeoutMs ?? TIMEOUT_MS);
  const signal = given.signal ? AbortSignal.any([given.signal, deadline]) : deadline;
  if (!navigator.onLine) throw new Failure('offline', 'offline', 'this device has no network');
  const askedAt = Date.now();
  try {
    const response = await fetch(address(path, given), {
      method: method.toUpperCase(),
      headers,
      signal,
      body: given.body === undefined ? undefined : raw ? (given.body as Blob | string) : JSON.stringify(given.body),
      credentials: 'same-origin',
      cache: 'no-store',
      redirect: 'error',
    });
    learnTime(response, askedAt);
    return response;
  } catch (error) {
    if (given.signal?.aborted) throw error;
    throw new Failure('lost', 'no_answer', String(error));
  }
}

async function refusal(response: Response): Promise<Failure> {
  let problem: { code?: string; detail?: string } = {};
  try {
    problem = (await response.json()) as typeof problem;
  } catch {
    // a proxy's page
  }
  const code = problem.code ?? `http_${response.status}`;
  if (response.status === 401 && code === 'unauthenticated') signedOut?.();
  // 5xx: whether it was done is not known, but for the one failure that says it was not.
  const kind = response.status >= 500 && response.status !== 507 ? 'lost' : 'refused';
  return new Failure(kind, code, problem.detail ?? response.statusText, response.status);
}

/** Calls a route. Throws a {@link Failure}. */
export async function call<M extends Method, P extends PathsOf<M>>(
  method: M,
  path: P,
  ...[options]: {} extends Options<Operation<P, M>> ? [Options<Operation<P, M>>?] : [Options<Operation<P, M>>]
): Promise<Answer<P, M>> {
  const response = await send(method, path as string, (options ?? {}) as Options<never>);
  if (!response.ok) throw await refusal(response);
  try {
    const text = await response.text();
    // Something else than JSON is not from the server, whatever its status: nobody knows what became of the request.
    return (text === '' ? undefined : JSON.parse(text)) as Answer<P, M>;
  } catch (error) {
    throw new Failure('lost', 'no_answer', String(error));
  }
}

/** Fetches a file (statement, receipt, poster) and hands it to the browser under `name`. */
export async function download(path: string, name: string): Promise<void> {
  const response = await send('get', path, {} as Options<never>);
  if (!response.ok) throw await refusal(response);
  const link = document.createElement('a');
  link.href = URL.createObjectURL(await response.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** A key that nobody else makes: 128 random bits. */
export function freshKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
}
