/** A charge under way, large enough to be seen from the other side of the counter. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { c, failureText } from '../common/text';
import { Amount, Banner, Button, Card, CodeCard, Icon, type IconName } from '../kit';
import type { Failure } from '../lib/call';
import { serverNow } from '../lib/clock';
import { Qr } from '../lib/codes';
import { money, time } from '../lib/format';
import { Camera } from './camera';
import { type Charge, again, begin, charge, end, keep, next, showCode, take } from './charge';
import { paymentCode, useScanner } from './scanner';
import { kept } from './store';
import { has, t } from './text';
import { useTick } from './view';

function Countdown({ until }: { until: string }) {
  useTick();
  const left = Math.max(0, Math.ceil((Date.parse(until) - serverNow()) / 1_000));
  const text = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`;
  return (
    <span class="k-num" role="timer" aria-label={t('charge.left')} data-left={left}>
      {text}
    </span>
  );
}

/** What a refusal means at a till, in plain words. */
function refusedText(failure: Failure): string {
  const key = `refused.${failure.code}`;
  return has(key) ? t(key) : failureText(failure);
}

/** A refusal of the question, which says nothing of what may have been done before: nobody knows yet whether money came. */
const askingText = (failure: Failure): string => (failure.code === 'ledger_no_space' ? t('charge.lost.full') : refusedText(failure));

function Result({ icon, tone, title, note, children }: { icon: IconName; tone: 'ok' | 'bad' | 'warn'; title: string; note?: string; children?: preact.ComponentChildren }) {
  return (
    <div class={`till-result till-${tone}`}>
      <span class="till-result-sign">
        <Icon name={icon} />
      </span>
      <h2 tabIndex={-1}>{title}</h2>
      {note && <p>{note}</p>}
      {children}
    </div>
  );
}

function Scan() {
  const [camera, setCamera] = useState(() => kept.read<boolean>('camera') ?? false);
  const turn = (on: boolean) => {
    kept.write('camera', on ? true : undefined);
    setCamera(on);
  };
  return (
    <div class="till-step">
      <h2 tabIndex={-1}>{t('charge.scan')}</h2>
      {camera ? (
        <Camera
          found={(text) => {
            const code = paymentCode(text);
            if (!code) return t('scan.foreign');
            take(code);
            return undefined;
          }}
          onClose={() => turn(false)}
        />
      ) : (
        <>
          <p class="till-note">{t('charge.scan.note')}</p>
          <Button kind="primary" block icon="camera" onClick={() => turn(true)}>
            {t('charge.camera')}
          </Button>
        </>
      )}
      <Button block icon="qr" onClick={showCode}>
        {t('pad.code')}
      </Button>
      <Button kind="quiet" block onClick={end}>
        {t('charge.change')}
      </Button>
    </div>
  );
}

const ASKING = { charge: 'charge.asking', code: 'charge.asking.code', end: 'charge.asking.end', state: 'charge.asking.state' } as const;

function Body({ now }: { now: Charge }) {
  const { phase } = now;
  switch (phase.at) {
    case 'scan':
      return <Scan />;
    case 'asking':
      return (
        <div class="till-step">
          <span class="till-wait" aria-hidden="true" />
          <h2 tabIndex={-1}>{phase.turn === 0 ? t(ASKING[phase.what]) : c('asking.title')}</h2>
          {phase.turn > 0 && (
            <>
              {phase.failure ? (
                <Banner tone="warn" role="alert">
                  {askingText(phase.failure)}
                </Banner>
              ) : (
                <p class="till-note">{t('charge.lost', { n: phase.turn })}</p>
              )}
              {phase.failure?.code === 'csrf' && (
                <Button kind="primary" block icon="refresh" onClick={() => location.reload()}>
                  {t('charge.reload')}
                </Button>
              )}
              {phase.what === 'end' ? (
                <Button block onClick={keep}>
                  {t('charge.keep')}
                </Button>
              ) : (
                <Button block onClick={end}>
                  {t('charge.cancel')}
                </Button>
              )}
            </>
          )}
        </div>
      );
    case 'code':
      return (
        <div class="till-step">
          <h2 tabIndex={-1}>{t('charge.show')}</h2>
          <CodeCard
            note={
              <>
                {t('charge.valid')} <Countdown until={phase.until} />
              </>
            }
          >
            <Qr text={phase.qr} label={t('charge.qr')} />
          </CodeCard>
          <p class="till-note">{t('charge.show.note')}</p>
          <Button block onClick={end}>
            {t('charge.cancel')}
          </Button>
        </div>
      );
    case 'waiting':
      return (
        <div class="till-step">
          <span class="till-wait" aria-hidden="true" />
          <h2 tabIndex={-1}>{t('charge.waiting')}</h2>
          <p class="till-note">
            {t('charge.waiting.note')} {phase.until !== undefined && <Countdown until={phase.until} />}
          </p>
          <Button block onClick={end}>
            {t('charge.cancel')}
          </Button>
        </div>
      );
    case 'refused':
      return (
        <Result icon="error" tone="bad" title={t('charge.refused')} note={refusedText(phase.failure)}>
          {phase.failure.code !== 'not_kept' && <p class="till-note">{t('charge.refused.note')}</p>}
          <Button kind="primary" block icon="scan" onClick={again}>
            {t('charge.again')}
          </Button>
          <Button block icon="qr" onClick={showCode}>
            {t('pad.code')}
          </Button>
          <Button kind="quiet" block onClick={end}>
            {t('charge.give.up')}
          </Button>
        </Result>
      );
    case 'paid':
      return (
        <Result icon="check" tone="ok" title={t('charge.paid')} note={phase.paidAt === undefined ? undefined : time(phase.paidAt, true)}>
          <Button kind="primary" block onClick={next}>
            {t('charge.next')}
          </Button>
        </Result>
      );
    case 'ended':
      return (
        <Result icon="info" tone="warn" title={t(`charge.ended.${phase.why}`)} note={t(`charge.ended.${phase.why}.note`)}>
          <Button
            kind="primary"
            block
            onClick={() => {
              next();
              begin(now.minor);
            }}
          >
            {t('charge.anew')}
          </Button>
          <Button block onClick={next}>
            {t('charge.next')}
          </Button>
        </Result>
      );
  }
}

export function Charging() {
  const now = charge.use();
  const box = useRef<HTMLDivElement>(null);
  const at = now?.phase.at;
  useScanner((code) => take(code));
  useEffect(() => {
    // What has changed is said; after the end one key goes on to the next.
    const target = at === 'paid' ? 'button' : 'h2';
    box.current?.querySelector<HTMLElement>(target)?.focus({ preventScroll: true });
  }, [at]);
  if (!now) return null;
  return (
    <Card>
      <div class="till-charge" ref={box} data-phase={at} data-order={now.orderNo}>
        <div class="till-charge-sum">
          <Amount text={money({ minor: now.minor, currency: now.currency })} size="xl" />
          <span class="till-note k-num">
            {t('order.no')} {now.orderNo}
          </span>
        </div>
        <div role="status" class="k-vh">
          {at === 'paid' ? t('charge.paid.said', { amount: money({ minor: now.minor, currency: now.currency }) }) : ''}
        </div>
        <Body now={now} />
      </div>
    </Card>
  );
}
