/** Who is signed in on this device. The last one is remembered, so that the app opens without a network. */
import { useEffect, useState } from 'preact/hooks';
import { Failure, onSignedOut, waitToWrite } from '../lib/call';
import { type Session, current, signOut } from '../lib/session';
import { replace } from '../lib/router';
import * as vault from '../lib/vault';
import type { Me } from './api';
import * as api from './api';
import { type KeptLoad, keep, recall, useKept } from './kept';

type Who = Session['who'];
export type State = { at: 'starting' | 'out' } | { at: 'in'; who: Who; live: boolean };

let state: State = { at: 'starting' };
const listeners = new Set<(state: State) => void>();

function set(next: State): void {
  state = next;
  for (const listener of listeners) listener(next);
}

export function useSession(): State {
  const [held, setHeld] = useState(state);
  useEffect(() => {
    listeners.add(setHeld);
    setHeld(state);
    return () => void listeners.delete(setHeld);
  }, []);
  return held;
}

/** The id of the person; only asked for on screens of somebody who is signed in. */
export const myId = (): string => (state.at === 'in' ? state.who.id : '');

/** Takes up a session. What another person left on this device is forgotten first. */
export async function enter(session: Session): Promise<void> {
  const last = await recall<Who>('who');
  if (last?.data.id !== session.who.id) await vault.wipe();
  await keep('who', session.who);
  set({ at: 'in', who: session.who, live: true });
}

/** Finds out who is signed in; without a network it is who was so last. */
export function start(): void {
  waitToWrite(ask());
}

async function ask(): Promise<void> {
  const last = await recall<Who>('who');
  if (last && state.at === 'starting') set({ at: 'in', who: last.data, live: false });
  try {
    const session = await current('resident');
    if (session) await enter(session);
    else {
      // Ended elsewhere: the next start without a network must not open as this person.
      await vault.remove('cache', 'who').catch(() => undefined);
      set({ at: 'out' });
    }
  } catch {
    if (!last) set({ at: 'out' });
    else setTimeout(() => document.visibilityState === 'visible' && again(), 5_000);
  }
}

const again = (): void => {
  if (state.at === 'in' && !state.live && navigator.onLine) start();
};

/** Ends the session, and forgets everything that this device kept for it. */
export async function leave(): Promise<void> {
  try {
    await signOut('resident');
  } catch (error) {
    // A session that has ended already is what was asked for.
    if (!(error instanceof Failure) || error.status !== 401) throw error;
  }
  replace('/');
  set({ at: 'out' });
  await vault.wipe();
}

onSignedOut(() => state.at === 'in' && set({ at: 'out' }));
for (const event of ['online', 'focus']) addEventListener(event, again);

export const useMe = (): KeptLoad<Me> => useKept('me', api.me);
export const useBillers = (): KeptLoad<api.Biller[]> => useKept('billers', api.billers);
