/** What screens showed last, kept on this device with the time it was true, so that they have something to show without a network. */
import { useEffect, useState } from 'preact/hooks';
import { type Load, useLoad } from '../lib/load';
import * as vault from '../lib/vault';

interface Kept<T> {
  at: number;
  data: T;
}

export const recall = <T>(key: string): Promise<Kept<T> | undefined> =>
  vault.get<Kept<T>>('cache', key).catch(() => undefined); // a browser that keeps nothing
export const keep = (key: string, data: unknown): Promise<unknown> =>
  vault.put('cache', key, { at: Date.now(), data }).catch(() => undefined);

/** {@link Load} that begins with what was kept; `at` says since when that is, while nothing newer came. */
export interface KeptLoad<T> extends Load<T> {
  at: number | undefined;
}

export function useKept<T>(key: string, load: (signal: AbortSignal) => Promise<T>, deps: readonly unknown[] = []): KeptLoad<T> {
  const [old, setOld] = useState<Kept<T>>();
  useEffect(() => {
    let gone = false;
    void recall<T>(key).then((kept) => gone || setOld(kept));
    return () => void (gone = true);
  }, [key]);
  const now = useLoad(
    async (signal) => {
      const data = await load(signal);
      if (!signal.aborted) void keep(key, data);
      return data;
    },
    [key, ...deps],
  );
  return { ...now, data: now.data ?? old?.data, at: now.data === undefined ? old?.at : undefined };
}

/** A choice of this person on this device. */
export function useChoice<T>(key: string, first: T): [T, (value: T) => void] {
  const [value, set] = useState(first);
  useEffect(() => {
    void recall<T>(key).then((kept) => kept && set(kept.data));
  }, [key]);
  return [
    value,
    (next) => {
      set(next);
      void keep(key, next);
    },
  ];
}

/** Counts that a service was used, for the order of the tiles. */
export async function countUse(service: string): Promise<void> {
  const uses = (await recall<Record<string, number>>('uses'))?.data ?? {};
  await keep('uses', { ...uses, [service]: (uses[service] ?? 0) + 1 });
}
