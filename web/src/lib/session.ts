/** The session of this page: a cookie that no script can read, and the token that proves a request comes from here. */
import type { components } from '../api/schema';
import { Failure, call, setCsrf } from './call';
import { setCity } from './format';

export type Session = components['schemas']['SessionAnswer'];
export type As = Session['as'];
export type SignIn = components['schemas']['SessionRequest'];

/** The session that the browser has, if it has one. */
export async function current(as: As): Promise<Session | undefined> {
  try {
    return took(await call('get', '/v1/session', { query: { as } }));
  } catch (error) {
    if (error instanceof Failure && error.status === 401) return undefined;
    throw error;
  }
}

export const took = (session: Session): Session => {
  setCsrf(session.csrf);
  setCity(session.city);
  return session;
};

export const signIn = async (body: SignIn): Promise<Session> => took(await call('post', '/v1/session', { body }));

export async function signOut(as: As): Promise<void> {
  await call('delete', '/v1/session', { query: { as } });
  setCsrf(undefined);
}
