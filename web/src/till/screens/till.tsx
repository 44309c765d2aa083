/** The till: the amount, the charge, and beside it what arrives. For keys that may only look, a speaker. */
import { useEffect, useRef } from 'preact/hooks';
import { c } from '../../common/text';
import { Amount, AmountInput, Banner, Button, Card, Empty, Keypad, toast, typeAmount } from '../../kit';
import { money, parseAmount, places, time } from '../../lib/format';
import { Arrivals } from '../arrivals';
import { begin, charge, showCode, take } from '../charge';
import { Charging } from '../charging';
import { Doubts } from '../doubts';
import { Frame } from '../frame';
import { live } from '../live';
import { can, useMe } from '../me';
import { useScanner } from '../scanner';
import { store } from '../store';
import { t } from '../text';
import { signOf } from '../view';
import { sound, tryOut } from '../voice';

/** A single sale under ten million. */
const WHOLE_DIGITS = 7;

/** What is typed; kept while the person looks at other screens. */
const typed = store('');

/** Browsers make no sound before a touch; the touch is asked for where it can be seen. */
function SoundGate() {
  const { locked, muted } = sound.use();
  const { currency } = useMe();
  if (!locked || muted) return null;
  return (
    <Banner
      tone="warn"
      icon="mute"
      role="status"
      action={
        <Button small icon="sound" onClick={() => tryOut(currency)}>
          {t('sound.on')}
        </Button>
      }
    >
      {t('sound.locked')}
    </Banner>
  );
}

const isField = (at: EventTarget | null): boolean => at instanceof Element && at.closest('input, textarea, select, dialog') !== null;

function Pad() {
  const { currency } = useMe();
  const text = typed.use();
  const input = useRef<HTMLInputElement>(null);
  const before = useRef<string[]>([]);
  const minor = parseAmount(text.replace(/\.$/, ''), currency) ?? 0;
  const decimals = places(currency);
  const put = (next: string) => {
    typed.set(next);
    if (input.current) input.current.value = next;
  };
  useScanner(
    (code) => {
      // The scanner has typed into the amount: it becomes what it was before.
      const past = before.current;
      before.current = [];
      put(past[past.length - 18] ?? past[0] ?? '');
      const asked = parseAmount(typed.get().replace(/\.$/, ''), currency) ?? 0;
      if (asked <= 0) {
        toast(t('pad.amount.first'), 'warn');
        return;
      }
      begin(asked);
      typed.set('');
      take(code);
    },
    () => {
      before.current = [...before.current, typed.get()].slice(-18);
    },
  );
  const go = (how: 'scan' | 'code') => {
    if (minor <= 0) {
      toast(t('pad.amount.first'), 'warn');
      return;
    }
    begin(minor);
    typed.set('');
    if (how === 'code') showCode();
  };
  return (
    <Card>
      <div class="till-pad">
        <AmountInput
          label={t('pad.amount')}
          currency={signOf(currency)}
          value={text}
          decimals={decimals}
          digits={WHOLE_DIGITS}
          placeholder={decimals > 0 ? `0.${'0'.repeat(decimals)}` : '0'}
          onInput={(next) => typed.set(next)}
          onEnter={() => go('scan')}
          inputRef={input}
        />
        <Keypad
          labels={{ pad: t('pad.keys'), backspace: c('delete.digit') }}
          decimal={decimals > 0}
          onKey={(key) => put(typeAmount(typed.get(), key, decimals, WHOLE_DIGITS))}
          doneLabel={t('pad.charge')}
          doneDisabled={minor <= 0}
          onDone={() => go('scan')}
        />
        <Button block icon="qr" disabled={minor <= 0} onClick={() => go('code')}>
          {t('pad.code')}
        </Button>
        <p class="till-note">{t('pad.scanner')}</p>
      </div>
    </Card>
  );
}

function Speaker() {
  const { arrivals } = live.use();
  const last = arrivals.find((one) => one.type === 'trade.paid');
  return (
    <Card>
      {last ? (
        <div class="till-charge">
          <div class="till-charge-sum">
            <span>{t('speaker.last')}</span>
            <Amount text={money(last.amount, 'always')} size="xl" tone="ok" />
            <span class="till-note k-num">{time(last.at, true)}</span>
          </div>
          <p class="till-note till-center">{t('speaker.note')}</p>
        </div>
      ) : (
        <Empty icon="sound" title={t('speaker.title')} note={t('speaker.note')} />
      )}
    </Card>
  );
}

/** What is typed anywhere on the screen goes into the amount. */
function useKeys(on: boolean, decimals: number): void {
  useEffect(() => {
    if (!on) return;
    const pressed = (event: KeyboardEvent) => {
      if (charge.get() || event.ctrlKey || event.metaKey || event.altKey || isField(event.target)) return;
      const key = event.key === 'Backspace' ? 'back' : event.key;
      if (key !== 'back' && !/^[\d.]$/.test(key)) return;
      event.preventDefault();
      typed.set(typeAmount(typed.get(), key, decimals, WHOLE_DIGITS));
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  }, [on, decimals]);
}

export default function Till() {
  const now = charge.use();
  const staff = can('staff');
  useKeys(staff, places(useMe().currency));
  return (
    <Frame title={staff ? t('till.title') : t('nav.speaker')} tab="/" wide bare={now !== undefined}>
      <SoundGate />
      <div class={now ? 'till-columns till-busy' : 'till-columns'}>
        <div class="till-left k-stack">
          {staff && <Doubts />}
          {!staff ? <Speaker /> : now ? <Charging /> : <Pad />}
        </div>
        <div class="till-right">
          <Arrivals />
        </div>
      </div>
    </Frame>
  );
}
