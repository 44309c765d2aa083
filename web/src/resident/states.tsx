/** The states that every screen has beside the good one: loading, failed, offline, out of date. */
import type { ComponentChildren } from 'preact';
import { c, failureText } from '../common/text';
import { Banner, Button, Empty, PinPad, Sheet, Skeleton, type SkeletonProps } from '../kit';
import type { Failure } from '../lib/call';
import { dateTime } from '../lib/format';
import type { Load } from '../lib/load';
import { t } from './text';

export function Failed({ failure, retry }: { failure: Failure; retry: () => void }) {
  const offline = failure.kind === 'offline';
  return (
    <div role="alert">
      <Empty
        icon={offline ? 'offline' : 'error'}
        title={c(offline ? 'offline.title' : 'failed.title')}
        note={offline ? c('offline.note') : failureText(failure)}
        action={<Button onClick={retry}>{c('retry')}</Button>}
      />
    </div>
  );
}

/** Shows what was loaded, and what became of the loading. */
export function Loaded<T>({
  of,
  shape = 'list',
  children,
}: {
  of: Load<T> & { at?: number | undefined };
  shape?: SkeletonProps['shape'];
  children: (data: T) => ComponentChildren;
}) {
  if (of.data === undefined) {
    return of.failure && !of.busy ? <Failed failure={of.failure} retry={of.reload} /> : <Skeleton shape={shape} label={c('loading')} />;
  }
  return (
    <>
      {of.failure && (
        <Banner
          tone="warn"
          role="status"
          icon={of.failure.kind === 'offline' ? 'offline' : 'warn'}
          action={
            <Button small kind="quiet" busy={of.busy} onClick={of.reload}>
              {c('retry')}
            </Button>
          }
        >
          {of.at === undefined ? failureText(of.failure) : t('state.old', { time: dateTime(of.at) })}
        </Banner>
      )}
      {children(of.data)}
    </>
  );
}

/** The failure of an act, said aloud. */
export const Refused = ({ failure }: { failure: Failure | undefined }) =>
  failure ? (
    <Banner tone="bad" role="alert">
      {failureText(failure)}
    </Banner>
  ) : null;

export const padLabels = () => ({ pad: t('pad'), backspace: c('delete.digit') });
export const pinLabels = () => ({ ...padLabels(), count: (n: number) => c('pin.count', { n }) });

/** Asks for the PIN over the screen that needs it. */
export function PinSheet(p: {
  open: boolean;
  /** What is confirmed; a payment where nothing is said. */
  heading?: string;
  title: ComponentChildren;
  busy?: boolean;
  error?: string | undefined;
  onPin: (pin: string) => void;
  onClose: () => void;
}) {
  return (
    <Sheet open={p.open} onClose={p.onClose} title={p.heading ?? t('pay.confirm')} closeLabel={c('close')}>
      <div class="pin-for">{p.title}</div>
      <PinPad title={c('pin.title')} labels={pinLabels()} onComplete={p.onPin} busy={p.busy ?? false} error={p.error} />
    </Sheet>
  );
}
