/** The session of this page: a cookie that no script can read, and the token that proves a request comes from here. */
import { Failure, call, setCsrf } from './call';

export type As = 'resident' | 'merchant' | 'operator';
export interface Session {
  csrf: string;
  expires_at: string;
  as: As;
  who: { id: string; name: string; role?: string | null };
}
// The routes of sessions, until they are in the document the types come from.
const anyCall = call as unknown as (method: string, path: string, options?: unknown) => Promise<unknown>;

/** The session that the browser has, if it has one. */
export async function current(as: As): Promise<Session | undefined> {
  try {
    return took((await anyCall('get', '/v1/session', { query: { as } })) as Session);
  } catch (error) {
    if (error instanceof Failure && error.status === 401) return undefined;
    throw error;
  }
}

export const took = (session: Session): Session => {
  setCsrf(session.csrf);
  return session;
};

export const signIn = async (body: Record<string, unknown>): Promise<Session> =>
  took((await anyCall('post', '/v1/session', { body })) as Session);

export async function signOut(as: As): Promise<void> {
  await anyCall('delete', '/v1/session', { query: { as } });
  setCsrf(undefined);
}
