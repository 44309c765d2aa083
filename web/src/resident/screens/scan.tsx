/** Scanning: by camera, from a picture, or from pasted text. Says what was found before anything happens. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { c } from '../../common/text';
import { Amount, Banner, Button, FileField, Row, Section, Sheet, Stack, TextField } from '../../kit';
import { money } from '../../lib/format';
import { useAct, useOnline } from '../../lib/load';
import { go } from '../../lib/router';
import { type Camera, readFile, watch } from '../../lib/scan';
import type { Found } from '../api';
import { read, refusal } from '../found';
import { SubScreen } from '../screen';
import { Facts } from '../paying';
import { t } from '../text';

type CameraState = 'starting' | 'on' | 'denied' | 'missing' | 'broken';

export default function Scan() {
  const video = useRef<HTMLVideoElement>(null);
  const camera = useRef<Camera | undefined>(undefined);
  const [state, setState] = useState<CameraState>('starting');
  const [light, setLight] = useState(false);
  const [typed, setTyped] = useState('');
  const [found, setFound] = useState<{ payload: string; what: Found }>();
  const [unreadable, setUnreadable] = useState(false);
  const [turn, setTurn] = useState(0);
  const online = useOnline();
  const busy = useRef(false);
  const act = useAct(async (payload: string) => {
    setUnreadable(false);
    setFound({ payload, what: await read(payload) });
    navigator.vibrate?.(40);
  });
  busy.current = act.busy || found !== undefined;
  useEffect(() => {
    let gone = false;
    if (!navigator.mediaDevices?.getUserMedia) {
      setState('missing');
      return;
    }
    setState('starting');
    const element = video.current;
    if (!element) return;
    watch(element, (text) => {
      if (busy.current) return false;
      act.run(text);
      return true;
    }).then(
      (on) => {
        if (gone) on.stop();
        else {
          camera.current = on;
          setState('on');
        }
      },
      (error: DOMException) => {
        if (!gone) setState(error.name === 'NotAllowedError' ? 'denied' : error.name === 'NotFoundError' ? 'missing' : 'broken');
      },
    );
    const hide = () => {
      if (document.visibilityState === 'visible') setTurn((n) => n + 1);
      else camera.current?.stop();
    };
    document.addEventListener('visibilitychange', hide);
    return () => {
      gone = true;
      document.removeEventListener('visibilitychange', hide);
      camera.current?.stop();
      camera.current = undefined;
    };
  }, [turn]);
  const picture = useAct(async (file: File) => {
    act.clear();
    const texts = await readFile(file).catch(() => [] as string[]);
    setUnreadable(texts.length === 0);
    if (texts[0] !== undefined) act.run(texts[0]);
  });
  const paste = async () => {
    try {
      const text = (await navigator.clipboard.readText()).trim();
      setTyped(text);
      if (text) act.run(text);
    } catch {
      document.querySelector<HTMLInputElement>('input[name=payload]')?.focus(); // the browser does not hand it out: typed or pasted there
    }
  };
  const torch = camera.current?.torch;
  return (
    <SubScreen title={t('home.scan')} back="#/">
      <div class="camera" data-state={state}>
        <video ref={video} aria-label={t('scan.camera')} />
        <div class="camera-frame" aria-hidden="true" />
        {state === 'on' && torch && (
          <div class="camera-tool">
            <Button
              icon="torch"
              pressed={light}
              onClick={() => {
                void torch(!light).then(() => setLight(!light), () => undefined);
              }}
            >
              {t('scan.torch')}
            </Button>
          </div>
        )}
        {state !== 'on' && (
          <div class="camera-note" role="status">
            <p>{t(`scan.${state}`)}</p>
            {(state === 'denied' || state === 'broken') && <Button onClick={() => setTurn(turn + 1)}>{c('retry')}</Button>}
          </div>
        )}
      </div>
      <div aria-live="polite">
        {act.busy && <p class="center">{t('scan.reading')}</p>}
        {state === 'on' && !act.busy && !act.failure && <p class="center">{t('scan.hint')}</p>}
      </div>
      {!online && <Banner tone="warn">{t('scan.offline')}</Banner>}
      {act.failure && (
        <Banner tone="bad" role="alert" title={t('scan.refused')}>
          {refusal(act.failure)}
        </Banner>
      )}
      {unreadable && (
        <Banner tone="warn" role="alert">
          {t('scan.nothing')}
        </Banner>
      )}
      <Section title={t('scan.other')}>
        <Stack>
          <FileField
            label={t('scan.photo')}
            hideLabel
            buttonLabel={t('scan.photo')}
            accept="image/*"
            onFiles={(files) => files[0] && picture.run(files[0])}
          />
          <form
            onSubmit={(e) => {
              e.preventDefault();
              if (typed.trim()) act.run(typed.trim());
            }}
          >
            <Stack>
            <TextField
              label={t('scan.text')}
              name="payload"
              mono
              value={typed}
              onInput={setTyped}
              after={<Button kind="quiet" small icon="paste" label={t('scan.paste')} onClick={() => void paste()} />}
            />
            <Row end>
              <Button type="submit" busy={act.busy} disabled={typed.trim() === ''}>
                {t('scan.read')}
              </Button>
            </Row>
            </Stack>
          </form>
        </Stack>
      </Section>
      <Sheet open={found !== undefined} onClose={() => setFound(undefined)} title={t('scan.found')} closeLabel={c('close')}>
        {found && (
          <Stack>
            <FoundFacts found={found.what} />
            <Button
              kind="primary"
              block
              onClick={() => go(found.what.kind === 'personal' ? '/transfer' : '/pay', { code: found.payload })}
            >
              {t('next')}
            </Button>
            <Button block onClick={() => setFound(undefined)}>
              {t('scan.again')}
            </Button>
          </Stack>
        )}
      </Sheet>
    </SubScreen>
  );
}

function FoundFacts({ found }: { found: Found }) {
  return (
    <>
      <p class="found-kind">{t(`scan.kind.${found.kind}`)}</p>
      <p class="found-name">{found.payee_name}</p>
      {found.amount ? <Amount text={money(found.amount)} size="l" /> : <p class="muted">{t('scan.open')}</p>}
      {(found.note || found.order_no) && (
        <Facts
          rows={[
            ...(found.note ? ([[t('pay.note'), found.note]] as [string, string][]) : []),
            ...(found.order_no ? ([[t('pay.order'), found.order_no]] as [string, string][]) : []),
          ]}
        />
      )}
    </>
  );
}
