// What lies above a screen: sheets and dialogs on the native <dialog> (it traps the focus, makes the rest inert and
// gives the focus back), and toasts.
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Icon } from './icon';
import { cx, type Tone, tone } from './util';

interface ModalProps {
  open: boolean;
  onClose: () => void;
  title: string;
  children?: ComponentChildren;
}

function Modal(p: ModalProps & { kind: string; head?: ComponentChildren; actions?: ComponentChildren }) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useLayoutEffect(() => {
    const d = ref.current;
    if (!d || !p.open) return;
    const asked = document.activeElement;
    d.showModal();
    // A child that focuses itself on mount did so before its dialog was open, and was refused.
    const wants =
      d.querySelector<HTMLElement>('[autofocus],[data-focus]') ?? d.querySelector<HTMLElement>('h2');
    wants?.focus({ preventScroll: true });
    return () => {
      if (d.open) d.close();
      if (asked instanceof HTMLElement && asked.isConnected && document.activeElement === document.body)
        asked.focus();
    };
  }, [p.open]);
  return (
    <dialog
      ref={ref}
      class={p.kind}
      aria-labelledby={id}
      onCancel={(e) => {
        if (e.target !== ref.current) return;
        e.preventDefault();
        p.onClose();
      }}
      onClose={(e) => {
        if (e.target === ref.current && p.open) p.onClose();
      }}
      onClick={(e) => {
        if (e.target === ref.current && p.kind === 'k-sheet') p.onClose();
      }}
    >
      {p.open && (
        <div class="k-modal">
          <div class="k-modal-head">
            <h2 id={id} tabIndex={-1}>
              {p.title}
            </h2>
            {p.head}
          </div>
          <div class="k-modal-body">{p.children}</div>
          {p.actions && <div class="k-modal-actions">{p.actions}</div>}
        </div>
      )}
    </dialog>
  );
}

/** A bottom sheet on phones, a panel in the middle on wide screens; a press beside it closes it. */
export function Sheet({ closeLabel, ...p }: ModalProps & { closeLabel: string }) {
  return (
    <Modal
      {...p}
      kind="k-sheet"
      head={
        <button class="k-hit" type="button" aria-label={closeLabel} onClick={p.onClose}>
          <Icon name="close" />
        </button>
      }
    />
  );
}

/** A question that wants an answer: closes by its actions or Escape, not by a press beside it. */
export function Dialog(p: ModalProps & { actions?: ComponentChildren }) {
  return <Modal {...p} kind="k-dialog" />;
}

interface Note {
  id: number;
  text: string;
  tone: Tone;
}

let notes: Note[] = [];
let last = 0;
const watchers = new Set<(n: Note[]) => void>();

function publish(next: Note[]) {
  notes = next;
  for (const w of watchers) w(next);
}

/** Says a thing in passing, long enough to read it. What must not be missed belongs into a Banner. */
export function toast(text: string, t: Tone = 'neutral'): void {
  const id = ++last;
  publish([...notes, { id, text, tone: t }].slice(-3));
  setTimeout(() => publish(notes.filter((n) => n.id !== id)), 4000 + text.length * 90);
}

/** Once per app, always mounted: a live region that comes with its text is not read out. */
export function Toasts() {
  const [list, set] = useState(notes);
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    watchers.add(set);
    return () => void watchers.delete(set);
  }, []);
  useLayoutEffect(() => {
    // As a popover it lies above an open dialog; older browsers show it in the page.
    const d = ref.current;
    if (!d?.showPopover) return;
    if (d.matches(':popover-open')) d.hidePopover();
    if (list.length) d.showPopover();
  }, [list]);
  return (
    <div class="k-toasts" ref={ref} popover="manual">
      <div aria-live="polite">{list.filter((n) => n.tone !== 'bad').map(show)}</div>
      <div aria-live="assertive">{list.filter((n) => n.tone === 'bad').map(show)}</div>
    </div>
  );
}

function show(n: Note) {
  return (
    <div class={cx('k-toast', tone(n.tone))} key={n.id}>
      {n.tone !== 'neutral' && (
        <Icon
          name={n.tone === 'ok' ? 'check' : n.tone === 'warn' ? 'warn' : n.tone === 'bad' ? 'error' : 'info'}
        />
      )}
      <span>{n.text}</span>
    </div>
  );
}
