/** Loading what a screen shows: at once what was there, then what is there now, and plainly why there is nothing. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { Failure } from './call';

export interface Load<T> {
  data: T | undefined;
  failure: Failure | undefined;
  busy: boolean;
  reload: () => void;
  /** Puts a newer answer in the place of the one that is there. */
  set: (data: T) => void;
}

export const asFailure = (error: unknown): Failure =>
  error instanceof Failure ? error : new Failure('lost', 'failed', String(error));

/** Loads when the screen appears, when `deps` change, and when the network comes back after a failure. */
export function useLoad<T>(load: (signal: AbortSignal) => Promise<T>, deps: readonly unknown[]): Load<T> {
  const [state, setState] = useState<{ data?: T; failure?: Failure; busy: boolean }>({ busy: true });
  const [turn, setTurn] = useState(0);
  const failed = useRef(false);
  useEffect(() => {
    const stop = new AbortController();
    setState((s) => ({ ...s, busy: true }));
    load(stop.signal).then(
      (data) => {
        if (stop.signal.aborted) return;
        failed.current = false;
        setState({ data, busy: false });
      },
      (error: unknown) => {
        if (stop.signal.aborted) return;
        failed.current = true;
        setState((s) => ({ data: s.data, failure: asFailure(error), busy: false }));
      },
    );
    return () => stop.abort();
  }, [...deps, turn]);
  const reload = useCallback(() => setTurn((n) => n + 1), []);
  useEffect(() => {
    const online = () => failed.current && reload();
    addEventListener('online', online);
    return () => removeEventListener('online', online);
  }, [reload]);
  return { data: state.data, failure: state.failure, busy: state.busy, reload, set: (data) => setState({ data, busy: false }) };
}

export interface Paged<I> extends Load<I[]> {
  /** Loads the next page, where there is one. */
  more: (() => void) | undefined;
}

/** A list that is paged by cursor. */
export function usePages<I>(
  load: (cursor: string | undefined, signal: AbortSignal) => Promise<{ items: I[]; next?: string | null }>,
  deps: readonly unknown[],
): Paged<I> {
  const [next, setNext] = useState<string>();
  const [busy, setBusy] = useState(false);
  const [broken, setBroken] = useState<Failure>();
  const first = useLoad(async (signal) => {
    const page = await load(undefined, signal);
    setNext(page.next ?? undefined);
    setBroken(undefined);
    return page.items;
  }, deps);
  const more = async () => {
    setBusy(true);
    try {
      const page = await load(next, new AbortController().signal);
      first.set([...(first.data ?? []), ...page.items]);
      setNext(page.next ?? undefined);
      setBroken(undefined);
    } catch (error) {
      setBroken(asFailure(error));
    }
    setBusy(false);
  };
  return { ...first, busy: first.busy || busy, failure: first.failure ?? broken, more: next === undefined ? undefined : () => void more() };
}

/** Whether the device has a network, as far as it knows. */
export function useOnline(): boolean {
  const [online, set] = useState(navigator.onLine);
  useEffect(() => {
    const changed = () => set(navigator.onLine);
    addEventListener('online', changed);
    addEventListener('offline', changed);
    return () => {
      removeEventListener('online', changed);
      removeEventListener('offline', changed);
    };
  }, []);
  return online;
}

/** An act of the person: busy while it is under way, its failure until the next try. */
export function useAct<A extends unknown[]>(act: (...args: A) => Promise<void>) {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure>();
  const running = useRef(false);
  const run = async (...args: A) => {
    if (running.current) return;
    running.current = true;
    setBusy(true);
    setFailure(undefined);
    try {
      await act(...args);
    } catch (error) {
      setFailure(asFailure(error));
    }
    running.current = false;
    setBusy(false);
  };
  return { run: (...args: A) => void run(...args), busy, failure, clear: () => setFailure(undefined) };
}
