// Entering money and PINs. A PIN lives in one ref until its last digit and is gone before it is handed on: it is never
// in state, in the page or in a field a browser could save.
import type { ComponentChildren, RefObject } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { Button } from './button';
import { Icon } from './icon';
import { cx, keepFocus } from './util';

export interface KeypadLabels {
  /** Names the group of keys. */
  pad: string;
  backspace: string;
}

export interface KeypadProps {
  /** "0" … "9", "." or "back". */
  onKey: (k: string) => void;
  labels: KeypadLabels;
  /** With doneLabel: a tall key that finishes. */
  doneLabel?: string;
  onDone?: () => void;
  doneDisabled?: boolean;
  busy?: boolean;
  decimal?: boolean;
}

export function Keypad({ onKey, labels, doneLabel, onDone, doneDisabled, busy, decimal }: KeypadProps) {
  const key = (k: string) => (
    <button
      key={k}
      class="k-key"
      type="button"
      onPointerDown={keepFocus}
      onMouseDown={keepFocus}
      onClick={() => onKey(k)}
      aria-disabled={busy ? 'true' : undefined}
    >
      {k}
    </button>
  );
  return (
    <div class={cx('k-keypad', doneLabel && 'k-with-done')} role="group" aria-label={labels.pad}>
      {['1', '2', '3', '4', '5', '6', '7', '8', '9'].map(key)}
      {decimal ? key('.') : <span />}
      {key('0')}
      <button
        class="k-key k-key-back"
        type="button"
        aria-label={labels.backspace}
        onPointerDown={keepFocus}
        onMouseDown={keepFocus}
        onClick={() => onKey('back')}
      >
        <Icon name="backspace" />
      </button>
      {doneLabel && (
        <div class="k-key-done">
          <Button kind="primary" onClick={onDone} disabled={doneDisabled} busy={busy}>
            {doneLabel}
          </Button>
        </div>
      )}
    </div>
  );
}

/**
 * The amount after one more key: digits, one point, no needless zeros, at most `decimals` places and `digits` before
 * the point. A key that does not fit changes nothing.
 */
export function typeAmount(value: string, k: string, decimals = 2, digits = 9): string {
  if (k === 'back') return value.slice(0, -1);
  const next = value + (k === '。' || k === ',' ? '.' : k);
  return tidy(next, decimals, digits) ?? value;
}

function tidy(text: string, decimals: number, digits: number): string | null {
  const m = /^(\d*)(?:(\.)(\d*))?$/.exec(text);
  if (!m || (m[2] && decimals === 0) || (m[3]?.length ?? 0) > decimals) return null;
  const whole = (m[1] ?? '').replace(/^0+(?=\d)/, '') || (m[2] ? '0' : '');
  return whole.length > digits ? null : whole + (m[2] ?? '') + (m[3] ?? '');
}

export interface AmountInputProps {
  label: string;
  /** Plain digits with a point: "12.5". */
  value: string;
  onInput: (value: string) => void;
  /** The sign before the figure. */
  currency?: string;
  decimals?: number;
  digits?: number;
  hint?: string;
  error?: string;
  onEnter?: () => void;
  /** Focused when it appears, default yes. */
  focus?: boolean;
  placeholder?: string;
  /** Shows the system keyboard, where there is no Keypad beside it. */
  ownKeys?: boolean;
  inputRef?: RefObject<HTMLInputElement | null>;
  children?: ComponentChildren;
}

export function AmountInput(p: AmountInputProps) {
  const id = useId();
  const own = useRef<HTMLInputElement>(null);
  const ref = p.inputRef ?? own;
  useEffect(() => {
    if (p.focus !== false) ref.current?.focus({ preventScroll: true });
  }, []);
  // A key of the keypad adds at the end, so the caret goes there; typing in the middle keeps its place.
  useEffect(() => {
    const el = ref.current;
    if (el && el.value !== p.value) el.value = p.value;
  }, [p.value]);
  return (
    <div class={cx('k-amount-in', p.error && 'k-wrong', p.value.length > 9 && 'k-long')}>
      <label for={id}>{p.label}</label>
      <div class="k-amount-row">
        {p.currency && <span aria-hidden="true">{p.currency}</span>}
        <input
          id={id}
          ref={ref}
          data-focus={p.focus === false ? undefined : ''}
          class="k-num"
          type="text"
          inputMode={p.ownKeys ? 'decimal' : 'none'}
          autocomplete="off"
          enterkeyhint="done"
          placeholder={p.placeholder}
          value={p.value}
          aria-invalid={p.error ? 'true' : undefined}
          aria-describedby={p.error || p.hint ? `${id}-n` : undefined}
          onInput={(e) => {
            const el = e.currentTarget;
            const at = (el.selectionStart ?? el.value.length) - el.value.length;
            const next =
              tidy(
                el.value.replace(/[,\s¥￥]/g, '').replace(/[。．]/, '.'),
                p.decimals ?? 2,
                p.digits ?? 9,
              ) ?? p.value;
            el.value = next;
            el.setSelectionRange(next.length + at, next.length + at);
            if (next !== p.value) p.onInput(next);
          }}
          onKeyDown={(e) => {
            if (e.key === 'Enter' && !e.isComposing) {
              e.preventDefault();
              p.onEnter?.();
            }
          }}
        />
      </div>
      <div class="k-note" id={`${id}-n`} aria-live="polite">
        {p.error || p.hint}
      </div>
      {p.children}
    </div>
  );
}

export interface PinPadProps {
  length?: number;
  onComplete: (pin: string) => void;
  busy?: boolean;
  error?: string;
  /** What is asked for: the accessible name of the entry. */
  title: string;
  note?: ComponentChildren;
  labels: KeypadLabels & { count: (n: number, length: number) => string };
}

export function PinPad({ length = 6, onComplete, busy, error, title, note, labels }: PinPadProps) {
  const pin = useRef('');
  const box = useRef<HTMLDivElement>(null);
  const [n, setN] = useState(0);
  const id = useId();
  useEffect(() => {
    box.current?.focus({ preventScroll: true });
    return () => {
      pin.current = '';
    };
  }, []);
  const press = (k: string) => {
    if (busy) return;
    if (k === 'back') pin.current = pin.current.slice(0, -1);
    else if (/^\d$/.test(k)) pin.current += k;
    else return;
    const whole = pin.current.length >= length ? pin.current : '';
    if (whole) pin.current = '';
    setN(pin.current.length);
    if (whole) onComplete(whole);
  };
  const shown = busy ? length : n;
  return (
    <div class="k-pin">
      <div class="k-pin-title" id={`${id}-t`}>
        {title}
      </div>
      {note && <div class="k-pin-note">{note}</div>}
      <div
        class="k-pin-dots"
        ref={box}
        data-focus=""
        tabIndex={0}
        role="textbox"
        aria-readonly="true"
        aria-labelledby={`${id}-t`}
        aria-describedby={`${id}-c`}
        onKeyDown={(e) => {
          if (e.ctrlKey || e.metaKey || e.altKey) return;
          if (e.key === 'Backspace' || /^\d$/.test(e.key)) {
            e.preventDefault();
            press(e.key === 'Backspace' ? 'back' : e.key);
          }
        }}
      >
        {Array.from({ length }, (_, i) => (
          <span key={i} class={cx('k-pin-dot', i < shown && 'k-on')} aria-hidden="true" />
        ))}
      </div>
      <div class="k-vh" id={`${id}-c`} aria-live="polite">
        {labels.count(shown, length)}
      </div>
      <div class="k-pin-error" role="alert">
        {!busy && n === 0 ? error : ''}
      </div>
      <Keypad onKey={press} labels={labels} />
    </div>
  );
}
