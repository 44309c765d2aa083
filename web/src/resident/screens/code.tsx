/** The pay code: made on this phone, without a network. Hidden whenever nobody is looking at it. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { c, failureText } from '../../common/text';
import { Amount, Banner, Button, CodeCard, Empty, Icon, Sheet, Skeleton } from '../../kit';
import { serverNow } from '../../lib/clock';
import { Barcode, Qr } from '../../lib/codes';
import { type Amount as Money, money } from '../../lib/format';
import { useAct, useOnline } from '../../lib/load';
import { paymentCode, secondsLeft } from '../../lib/paycode';
import * as api from '../api';
import { deviceKey, enrol, stillKnown } from '../device';
import { PinFor, Result, Sending, usePayment } from '../paying';
import { TabScreen } from '../screen';
import { Failed, PinSheet } from '../states';
import { t } from '../text';

const IDLE_MS = 60_000;
const LOOK_MS = 2_000;

type Key = NonNullable<Awaited<ReturnType<typeof deviceKey>>>;

export default function PayCode() {
  const [key, setKey] = useState<Key | 'none'>();
  const online = useOnline();
  const add = useAct(async () => setKey(await enrol()));
  useEffect(() => {
    let gone = false;
    const look = async () => {
      const held = await deviceKey();
      if (gone) return;
      setKey(held ?? 'none');
      // Nothing to ask the person about: opening the pay code is the wish to have one.
      if (!held) {
        if (navigator.onLine) add.run();
      } else if (!(await stillKnown(held).catch(() => true)) && !gone) {
        setKey('none');
      }
    };
    void look();
    return () => void (gone = true);
  }, []);
  if (key === undefined || (key === 'none' && add.busy)) {
    return (
      <TabScreen title={t('code.title')} tab="#/code">
        <Skeleton shape="code" label={c('loading')} />
      </TabScreen>
    );
  }
  if (key === 'none') {
    return (
      <TabScreen title={t('code.title')} tab="#/code">
        {add.failure ? (
          <Failed failure={add.failure} retry={() => add.run()} />
        ) : (
          <Empty
            icon="qr"
            title={t('code.none')}
            note={t(online ? 'code.none.note' : 'code.none.offline')}
            action={
              <Button kind="primary" disabled={!online} onClick={() => add.run()}>
                {t('code.enrol')}
              </Button>
            }
          />
        )}
      </TabScreen>
    );
  }
  return <Live held={key} />;
}

/** Why the code is not to be seen. */
type Hidden = 'page' | 'idle' | 'turned' | undefined;

function useHidden(): [Hidden, () => void] {
  const [hidden, set] = useState<Hidden>();
  const touched = useRef(Date.now());
  useEffect(() => {
    const active = () => (touched.current = Date.now());
    const page = () => document.visibilityState === 'hidden' && set('page');
    const turned = (e: DeviceOrientationEvent) => {
      if (e.beta === null || e.gamma === null) return;
      const rad = Math.PI / 180;
      // How much the screen looks upwards: 1 on a table, −1 face down.
      if (Math.cos(e.beta * rad) * Math.cos(e.gamma * rad) < -0.5) set((now) => now ?? 'turned');
    };
    const timer = setInterval(() => Date.now() - touched.current > IDLE_MS && set((now) => now ?? 'idle'), 1_000);
    for (const event of ['pointerdown', 'keydown', 'scroll']) addEventListener(event, active, { passive: true });
    document.addEventListener('visibilitychange', page);
    addEventListener('deviceorientation', turned);
    return () => {
      clearInterval(timer);
      for (const event of ['pointerdown', 'keydown', 'scroll']) removeEventListener(event, active);
      document.removeEventListener('visibilitychange', page);
      removeEventListener('deviceorientation', turned);
    };
  }, []);
  const show = useCallback(() => {
    touched.current = Date.now();
    set(undefined);
    // Some phones tell how they are held only to who asked after a press.
    const ask = (globalThis.DeviceOrientationEvent as unknown as { requestPermission?: () => Promise<string> } | undefined)?.requestPermission;
    void ask?.().catch(() => undefined);
  }, []);
  return [hidden, show];
}

/** Whether the page is before somebody's eyes: a phone that was locked tells of it when it is unlocked. */
function useInSight(): boolean {
  const [inSight, set] = useState(document.visibilityState === 'visible');
  useEffect(() => {
    const changed = () => set(document.visibilityState === 'visible');
    document.addEventListener('visibilitychange', changed);
    return () => document.removeEventListener('visibilitychange', changed);
  }, []);
  return inSight;
}

/** Keeps the screen lit while the code is to be seen, where the browser can. */
function useLit(lit: boolean): void {
  useEffect(() => {
    if (!lit || !('wakeLock' in navigator)) return;
    let lock: WakeLockSentinel | undefined;
    let gone = false;
    navigator.wakeLock.request('screen').then(
      (got) => {
        lock = got;
        if (gone) void got.release();
      },
      () => undefined, // low on power: it dims as always
    );
    return () => {
      gone = true;
      void lock?.release();
    };
  }, [lit]);
}

function useCode(key: CryptoKey, shown: boolean): { code: string; left: number } {
  const [now, set] = useState({ code: '', left: 0 });
  useEffect(() => {
    if (!shown) {
      set({ code: '', left: 0 });
      return;
    }
    let gone = false;
    const make = async () => {
      const second = serverNow() / 1000;
      const code = await paymentCode(key, second);
      if (!gone) set({ code, left: secondsLeft(second) });
    };
    void make();
    const timer = setInterval(() => void make(), 500);
    return () => {
      gone = true;
      clearInterval(timer);
    };
  }, [key, shown]);
  return now;
}

/** Charges that wait for the PIN, and the payment that was just made with the code. */
function useCharges(on: boolean) {
  const [charge, setCharge] = useState<api.Waiting>();
  const [paid, setPaid] = useState<{ amount: Money; name?: string }>();
  const seen = useRef<Set<string> | undefined>(undefined);
  useEffect(() => {
    if (!on) return;
    let gone = false;
    let timer = 0;
    const look = async () => {
      const [list, newest] = await Promise.all([
        api.waiting().catch(() => undefined),
        api.movements(undefined, 5).catch(() => undefined),
      ]);
      if (gone) return;
      if (list) setCharge((now) => list.find((one) => one.trade === now?.trade) ?? list[0]);
      if (newest) {
        const fresh = newest.items.find((one) => one.kind === 'trade_payment' && one.direction === 'out' && seen.current && !seen.current.has(one.id));
        seen.current = new Set(newest.items.map((one) => one.id));
        if (fresh) {
          navigator.vibrate?.([60, 60, 60]);
          setPaid({ amount: fresh.amount });
          const whole = await api.movement(fresh.id).catch(() => undefined);
          if (gone) return;
          if (whole?.other_name) setPaid((now) => now && { ...now, name: whole.other_name ?? undefined });
        }
      }
      timer = window.setTimeout(() => void look(), LOOK_MS);
    };
    void look();
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [on]);
  return { charge, paid, dismiss: () => setPaid(undefined) };
}

function Live({ held }: { held: Key }) {
  const [hidden, show] = useHidden();
  const online = useOnline();
  const { charge, paid, dismiss } = useCharges(useInSight() && online);
  const [ignored, setIgnored] = useState<string>();
  const { outcome, pay, stop, reset } = usePayment();
  const [confirming, setConfirming] = useState<api.Waiting>();
  const asked = confirming ?? (charge && charge.trade !== ignored ? charge : undefined);
  const shown = hidden === undefined && asked === undefined && paid === undefined;
  const { code, left } = useCode(held.key, shown);
  useLit(shown);
  if (outcome.at === 'sending' && confirming) return <Sending turn={outcome.turn} title={confirming.merchant_name} stop={stop} />;
  if (outcome.at !== 'ready' && outcome.at !== 'sending' && confirming) {
    return (
      <Result
        outcome={outcome}
        title={confirming.merchant_name}
        actions={
          <Button
            kind="primary"
            block
            onClick={() => {
              setIgnored(confirming.trade);
              setConfirming(undefined);
              reset();
            }}
          >
            {t('code.title')}
          </Button>
        }
      />
    );
  }
  const failure = outcome.at === 'ready' ? outcome.failure : undefined;
  const groups = code.replace(/(\d{4})(?=\d)/g, '$1 ');
  return (
    <TabScreen title={t('code.title')} tab="#/code">
      {!online && (
        <Banner tone="info" icon="offline">
          {t('code.offline')}
        </Banner>
      )}
      <CodeCard title={t('code.lead')} note={shown && left > 0 ? <span aria-hidden="true">{t('code.left', { s: left })}</span> : undefined}>
        {code === '' ? (
          <button class="code-hidden" type="button" onClick={show}>
            <Icon name="eye-off" />
            <strong>{t('code.show')}</strong>
            {hidden && <span>{t(`code.hidden.${hidden}`)}</span>}
          </button>
        ) : (
          <div class="code-live">
            <Barcode digits={code} label={t('code.barcode')} />
            <p class="code-digits k-num">{groups}</p>
            <Qr text={code} label={t('code.qr')} />
          </div>
        )}
      </CodeCard>
      <p class="center muted">{t('code.bright')}</p>
      <p class="center muted">{t('code.warn')}</p>
      <PinSheet
        open={asked !== undefined && outcome.at === 'ready'}
        title={
          asked && (
            <>
              <PinFor name={asked.merchant_name} amount={asked.amount} />
              {asked.subject && <p class="muted">{asked.subject}</p>}
            </>
          )
        }
        error={failure && failure.code !== 'pin_required' ? failureText(failure) : undefined}
        onPin={(pin) => {
          if (!asked) return;
          setConfirming(asked);
          pay({ request: { route: 'confirm', trade: asked.trade }, title: asked.merchant_name, amount: asked.amount }, pin);
        }}
        onClose={() => {
          setIgnored(asked?.trade);
          setConfirming(undefined);
          reset();
        }}
      />
      <Sheet open={paid !== undefined && asked === undefined} onClose={dismiss} title={t('result.paid')} closeLabel={c('close')}>
        {paid && (
          <div class="result result-ok">
            <span class="result-mark">
              <Icon name="check" />
            </span>
            <p class="result-to">{paid.name ?? t('kind.trade_payment')}</p>
            <Amount text={money(paid.amount)} size="xl" />
            <Button kind="primary" block onClick={dismiss}>
              {c('done')}
            </Button>
          </div>
        )}
      </Sheet>
    </TabScreen>
  );
}
