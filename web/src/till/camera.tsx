/** The camera that reads codes, with its light and its excuses. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { Banner, Button, Skeleton } from '../kit';
import { c } from '../common/text';
import { type Camera as Running, readFile, watch } from '../lib/scan';
import { t } from './text';

/** `found` gets each text that is seen for the first time; what it answers is told to the person: why the text is not taken. */
export function Camera({ found, onClose }: { found: (text: string) => string | undefined; onClose?: () => void }) {
  const box = useRef<HTMLDivElement>(null);
  const video = useRef<HTMLVideoElement>(null);
  const take = useRef(found);
  take.current = found;
  const [state, setState] = useState<'starting' | 'on' | 'denied' | 'none'>('starting');
  const [light, setLight] = useState(false);
  const [note, setNote] = useState<string>();
  const running = useRef<Running | undefined>(undefined);
  useEffect(() => {
    // The button that opened it is gone.
    box.current?.focus({ preventScroll: true });
    let gone = false;
    const element = video.current;
    if (!element || !navigator.mediaDevices) {
      setState('none');
      return;
    }
    watch(element, (text) => setNote(take.current(text))).then(
      (camera) => {
        if (gone) return camera.stop();
        running.current = camera;
        setState('on');
      },
      (error: unknown) => gone || setState((error as DOMException).name === 'NotAllowedError' ? 'denied' : 'none'),
    );
    return () => {
      gone = true;
      running.current?.stop();
    };
  }, []);
  const torch = running.current?.torch;
  return (
    <div class="till-camera" ref={box} tabIndex={-1} role="group" aria-label={t('camera.view')}>
      <div class="till-camera-view" hidden={state === 'denied' || state === 'none'}>
        <video ref={video} aria-label={t('camera.view')} playsInline muted />
        {state === 'starting' && <Skeleton shape="code" label={c('loading')} />}
        {state === 'on' && <span class="till-camera-frame" aria-hidden="true" />}
      </div>
      {(state === 'denied' || state === 'none') && (
        <Banner tone="warn" role="alert">
          {state === 'denied' ? t('camera.denied') : t('camera.none')}
        </Banner>
      )}
      <p class="till-note" role="status">
        {note ?? (state === 'on' ? t('camera.hint') : '')}
      </p>
      <div class="till-buttons">
        {torch && (
          <Button
            icon="torch"
            pressed={light}
            onClick={() => {
              torch(!light).then(
                () => setLight(!light),
                () => setLight(false),
              );
            }}
          >
            {t('camera.torch')}
          </Button>
        )}
        <label class="till-file">
          <input
            type="file"
            accept="image/*"
            onChange={(event) => {
              const file = event.currentTarget.files?.[0];
              event.currentTarget.value = '';
              if (!file) return;
              readFile(file).then(
                (texts) => setNote(texts.length === 0 ? t('camera.nothing') : take.current(texts[0] ?? '')),
                () => setNote(t('camera.nothing')),
              );
            }}
          />
          <span class="k-btn k-btn-plain">{t('camera.picture')}</span>
        </label>
        {onClose && (
          <Button kind="quiet" onClick={onClose}>
            {c('close')}
          </Button>
        )}
      </div>
    </div>
  );
}
