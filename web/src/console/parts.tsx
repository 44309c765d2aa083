/** What the screens of the console share: loading and failing, acts that need a reason, secrets shown once, small pieces of data. */
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { c } from '../common/text';
import { Badge, Banner, Button, Dialog, Empty, Icon, Skeleton, type SkeletonProps, Stack, TextArea, TextField, toast, type Tone } from '../kit';
import { Failure } from '../lib/call';
import { cityCurrency, dateTime, money, type Amount } from '../lib/format';
import { type Load, useAct } from '../lib/load';
import { prefs } from '../lib/prefs';
import type { Biller } from './api';
import { because, t } from './text';

/** The server's own sentence is for who runs the city: it names the line, the key, the field. */
export function Refused({ failure }: { failure: Failure | undefined }) {
  if (!failure) return null;
  return (
    <Banner tone="bad" role="alert" title={because(failure)}>
      {failure.kind === 'refused' && failure.detail !== '' && <span lang="en">{failure.detail}</span>}
    </Banner>
  );
}

/** What was loaded; until then grey lines, or why there is nothing and a way to try again. */
export function Loaded<T>({ load, shape = 'list', children }: { load: Load<T>; shape?: SkeletonProps['shape']; children: (data: T) => ComponentChildren }) {
  const retry = (
    <Button small icon="refresh" busy={load.busy} onClick={load.reload}>
      {c('retry')}
    </Button>
  );
  if (load.data !== undefined) {
    return (
      <>
        {load.failure && (
          <Banner tone="warn" role="status" title={t('stale')} action={retry}>
            {because(load.failure)}
          </Banner>
        )}
        {children(load.data)}
      </>
    );
  }
  if (!load.failure) return <Skeleton shape={shape} label={c('loading')} />;
  const offline = load.failure.kind === 'offline';
  return (
    <div role="alert">
      <Empty
        icon={offline ? 'offline' : 'error'}
        title={offline ? c('offline.title') : c('failed.title')}
        note={offline ? c('offline.note') : because(load.failure)}
        action={retry}
      />
    </div>
  );
}

const REASON_MIN = 4;
const REASON_MAX = 200;
export const isReason = (text: string): boolean => {
  const length = Array.from(text.trim()).length;
  return length >= REASON_MIN && length <= REASON_MAX;
};

export function ReasonField({ value, onInput, error, focus }: { value: string; onInput: (value: string) => void; error?: boolean; focus?: boolean }) {
  return (
    <TextArea
      label={t('reason')}
      hint={t('reason.hint')}
      error={error ? t('reason.missing') : undefined}
      required
      rows={2}
      maxLength={REASON_MAX * 2}
      name="reason"
      focus={focus}
      value={value}
      onInput={(text) => onInput(text.replace(/\s*[\r\n]+\s*/g, ' '))}
    />
  );
}

export interface ActDialogProps {
  open: boolean;
  onClose: () => void;
  title: string;
  /** What will happen, before it does. */
  children: ComponentChildren;
  confirm: string;
  danger?: boolean;
  /** What has to be typed before an act that cannot be undone. */
  typed?: { label: string; text: string };
  /** Whether what else the dialog asks is answered. */
  ready?: boolean;
  /** Says that it is done; nothing where the screen shows it. */
  done?: string;
  act: (reason: string) => Promise<void>;
}

/** Asks before a dangerous act: says what will happen, wants a reason, and for what cannot be undone the name typed. */
export function ActDialog(p: ActDialogProps) {
  const [reason, setReason] = useState('');
  const [typed, setTyped] = useState('');
  const [tried, setTried] = useState(false);
  const close = () => {
    setReason('');
    setTyped('');
    setTried(false);
    doing.clear();
    p.onClose();
  };
  const doing = useAct(async () => {
    await p.act(reason.trim());
    if (p.done) toast(p.done, 'ok');
    close();
  });
  const wrong = p.typed !== undefined && typed.trim() !== p.typed.text.trim();
  return (
    <Dialog
      open={p.open}
      onClose={() => !doing.busy && close()}
      title={p.title}
      actions={
        <>
          <Button onClick={close} disabled={doing.busy}>
            {c('cancel')}
          </Button>
          <Button kind={p.danger ? 'danger' : 'primary'} type="submit" form="act-dialog" busy={doing.busy}>
            {p.confirm}
          </Button>
        </>
      }
    >
      <form
        id="act-dialog"
        noValidate
        onSubmit={(e) => {
          e.preventDefault();
          setTried(true);
          if (isReason(reason) && !wrong && p.ready !== false) doing.run();
        }}
      >
        <Stack>
          <div class="o-what">{p.children}</div>
          <ReasonField value={reason} onInput={setReason} error={tried && !isReason(reason)} />
          {p.typed && (
            <TextField
              label={p.typed.label}
              hint={<code class="o-code">{p.typed.text}</code>}
              error={tried && wrong ? t('typed.differs') : undefined}
              required
              value={typed}
              onInput={setTyped}
            />
          )}
          {tried && p.ready === false && (
            <Banner tone="bad" role="alert">
              {t('act.incomplete')}
            </Banner>
          )}
          <Refused failure={doing.failure} />
        </Stack>
      </form>
    </Dialog>
  );
}

/** A secret, shown this once. */
export function SecretDialog({ secret, onClose }: { secret: string | undefined; onClose: () => void }) {
  const copy = useAct(async () => {
    await navigator.clipboard.writeText(secret ?? '');
    toast(c('copied'), 'ok');
  });
  return (
    <Dialog
      open={secret !== undefined}
      onClose={onClose}
      title={t('secret.title')}
      actions={
        <>
          <Button icon="paste" onClick={copy.run}>
            {c('copy')}
          </Button>
          <Button kind="primary" onClick={onClose}>
            {t('secret.kept')}
          </Button>
        </>
      }
    >
      <Stack>
        <Banner tone="warn">{t('secret.note')}</Banner>
        <code class="o-secret">{secret}</code>
      </Stack>
    </Dialog>
  );
}

/** An identifier that may break anywhere. */
export const Id = ({ id }: { id: string }) => <code class="o-code">{id}</code>;

export const When = ({ at }: { at: string | undefined | null }) => (at ? <time dateTime={at}>{dateTime(at)}</time> : <span>{t('none')}</span>);

export const Money = ({ of }: { of: Amount | undefined | null }) => <span class="o-money">{of ? money(of) : t('none')}</span>;

export const inCity = (minor: number): Amount => ({ minor, currency: cityCurrency() });

/** Good, bad or in between, by sign, colour and word. */
export function State({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  const icon = tone === 'ok' ? 'check' : tone === 'warn' ? 'warn' : tone === 'bad' ? 'error' : undefined;
  return (
    <Badge tone={tone}>
      {icon && <Icon name={icon} />}
      {children}
    </Badge>
  );
}

export const billerName = (name: Biller['name']): string => (prefs().lang === 'zh' ? name.zh : name.en);


/** A day before or after, `2026-03-01`. */
export function dayBy(day: string, days: number): string {
  const at = new Date(`${day}T00:00:00Z`);
  at.setUTCDate(at.getUTCDate() + days);
  return at.toISOString().slice(0, 10);
}

export const isDay = (text: string | null): text is string => text !== null && /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text));

/** The word for the code of a refusal that is part of an answer. */
export const failureWord = (code: string): string => because(new Failure('refused', code, ''));
