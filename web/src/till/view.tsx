/** What a screen shows while it loads, when it could not, and when there is nothing. */
import type { ComponentChildren, ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { c, failureText } from '../common/text';
import { Banner, Button, Empty, Skeleton, type SkeletonProps } from '../kit';
import type { Failure } from '../lib/call';
import { money } from '../lib/format';
import type { Load } from '../lib/load';

export function Failed({ failure, retry }: { failure: Failure; retry: () => void }) {
  const offline = failure.kind === 'offline';
  return (
    <div role="alert">
      <Empty
        icon={offline ? 'offline' : 'error'}
        title={offline ? c('offline.title') : c('failed.title')}
        note={offline ? c('offline.note') : failureText(failure)}
        action={<Button onClick={retry}>{c('retry')}</Button>}
      />
    </div>
  );
}

/** The refusal of something that a person just tried. */
export function Refusal({ failure }: { failure: Failure | undefined }) {
  return failure ? (
    <Banner tone="bad" role="alert">
      {failureText(failure)}
    </Banner>
  ) : null;
}

export function Loaded<T>({ load, shape = 'list', children }: { load: Load<T>; shape?: SkeletonProps['shape']; children: (data: T) => ComponentChildren }) {
  if (load.data === undefined) {
    return load.failure ? <Failed failure={load.failure} retry={load.reload} /> : <Skeleton shape={shape} label={c('loading')} />;
  }
  return (
    <>
      {load.failure && (
        <Banner tone="warn" role="status" action={<Button small onClick={load.reload}>{c('retry')}</Button>}>
          {failureText(load.failure)}
        </Banner>
      )}
      {children(load.data)}
    </>
  );
}

/** A screen of its own chunk, fetched when it is first shown. */
export function lazy<P extends object>(fetchIt: () => Promise<{ default: ComponentType<P> }>): ComponentType<P> {
  let found: ComponentType<P> | undefined;
  return function Lazy(props: P) {
    const [state, set] = useState<'loading' | 'failed' | 'there'>(found ? 'there' : 'loading');
    useEffect(() => {
      if (state !== 'loading') return;
      let gone = false;
      fetchIt().then(
        (module) => {
          found = module.default;
          if (!gone) set('there');
        },
        () => gone || set('failed'),
      );
      return () => void (gone = true);
    }, [state]);
    const Screen = found;
    if (Screen) return <Screen {...props} />;
    if (state !== 'failed') return <main class="till-loading"><Skeleton shape="card" label={c('loading')} /></main>;
    return (
      <main class="till-loading">
        <div role="alert">
          <Empty icon="offline" title={c('failed.title')} note={c('chunk.note')} action={<Button onClick={() => location.reload()}>{c('retry')}</Button>} />
        </div>
      </main>
    );
  };
}

/** The sign of a currency, `¥`. */
export const signOf = (currency: string): string => money({ minor: 0, currency }).replace(/[\d.,\s]/g, '');

const WIDE = '(min-width: 900px)';

/** Whether there is room for two columns and a navigation at the side. */
export function useWide(): boolean {
  const [wide, set] = useState(() => matchMedia(WIDE).matches);
  useEffect(() => {
    const query = matchMedia(WIDE);
    // A sheet of paper is narrower than the screen, and no reason to draw the page anew.
    const changed = () => matchMedia('print').matches || set(query.matches);
    query.addEventListener('change', changed);
    return () => query.removeEventListener('change', changed);
  }, []);
  return wide;
}

/** Ticks every second, for what counts down. */
export function useTick(ms = 1_000): void {
  const [, draw] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => draw((n) => n + 1), ms);
    return () => clearInterval(timer);
  }, [ms]);
}
