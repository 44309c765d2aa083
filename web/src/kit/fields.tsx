// Form fields. Field ties label, hint and error to its control by ids; the others are controls inside of it. Values go
// in, changes come out: no field keeps a state of its own.
import type { ComponentChildren, RefObject } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { Icon } from './icon';
import { cx } from './util';

interface Wiring {
  id: string;
  'aria-describedby'?: string;
  'aria-invalid'?: 'true';
  required?: boolean;
}

export interface FieldBase {
  label: string;
  hint?: ComponentChildren;
  error?: string;
  required?: boolean;
  /** Said beside the label of a field that may stay empty. */
  optionalLabel?: string;
  /** Keeps the label for screen readers only. */
  hideLabel?: boolean;
}

export function Field({
  label,
  hint,
  error,
  required,
  optionalLabel,
  hideLabel,
  children,
}: FieldBase & { children: (wiring: Wiring) => ComponentChildren }) {
  const id = useId();
  const described = cx(hint !== undefined && hint !== '' && `${id}-h`, error && `${id}-e`);
  return (
    <div class={cx('k-field', error && 'k-wrong')}>
      <label for={id} class={hideLabel ? 'k-vh' : undefined}>
        {label}
        {optionalLabel && <span class="k-optional"> {optionalLabel}</span>}
      </label>
      {children({
        id,
        'aria-describedby': described || undefined,
        'aria-invalid': error ? 'true' : undefined,
        required,
      })}
      {hint !== undefined && hint !== '' && (
        <div class="k-hint" id={`${id}-h`}>
          {hint}
        </div>
      )}
      {error && (
        <div class="k-error" id={`${id}-e`} role="alert">
          <Icon name="error" />
          <span>{error}</span>
        </div>
      )}
    </div>
  );
}

function base(p: FieldBase): FieldBase {
  const { label, hint, error, required, optionalLabel, hideLabel } = p;
  return { label, hint, error, required, optionalLabel, hideLabel };
}

/** Focuses the control when it appears. */
function useFocus<T extends HTMLElement>(
  want: boolean | undefined,
  given?: RefObject<T | null>,
): RefObject<T | null> {
  const own = useRef<T>(null);
  const ref = given ?? own;
  useEffect(() => {
    if (want) ref.current?.focus();
  }, []);
  return ref;
}

export interface TextFieldProps extends FieldBase {
  value: string;
  onInput: (value: string) => void;
  type?: 'text' | 'tel' | 'email' | 'url' | 'password';
  inputMode?: 'text' | 'numeric' | 'decimal' | 'tel' | 'email' | 'url' | 'search' | 'none';
  autocomplete?: string;
  name?: string;
  placeholder?: string;
  maxLength?: number;
  disabled?: boolean;
  readOnly?: boolean;
  /** Even digits and no spell check: account numbers, codes, keys. */
  mono?: boolean;
  focus?: boolean;
  /** Inside the frame, before and after the text; after may be a button. */
  before?: ComponentChildren;
  after?: ComponentChildren;
  onBlur?: () => void;
  inputRef?: RefObject<HTMLInputElement | null>;
}

export function TextField(p: TextFieldProps) {
  const ref = useFocus(p.focus, p.inputRef);
  return (
    <Field {...base(p)}>
      {(w) => (
        <div class="k-input">
          {p.before}
          <input
            {...w}
            ref={ref}
            class={p.mono ? 'k-num' : undefined}
            type={(p.type ?? 'text') as 'text'}
            inputMode={p.inputMode}
            autocomplete={p.autocomplete ?? 'off'}
            autocapitalize={p.mono ? 'off' : undefined}
            spellcheck={p.mono ? false : undefined}
            data-focus={p.focus ? '' : undefined}
            name={p.name}
            placeholder={p.placeholder}
            maxLength={p.maxLength}
            disabled={p.disabled}
            readOnly={p.readOnly}
            value={p.value}
            onInput={(e) => p.onInput(e.currentTarget.value)}
            onBlur={p.onBlur}
          />
          {p.after}
        </div>
      )}
    </Field>
  );
}

export interface TextAreaProps extends FieldBase {
  value: string;
  onInput: (value: string) => void;
  rows?: number;
  name?: string;
  placeholder?: string;
  maxLength?: number;
  disabled?: boolean;
  readOnly?: boolean;
  /** Fixed width and no spell check: packs, CSV. */
  mono?: boolean;
  focus?: boolean;
}

export function TextArea(p: TextAreaProps) {
  const ref = useFocus<HTMLTextAreaElement>(p.focus);
  return (
    <Field {...base(p)}>
      {(w) => (
        <div class="k-input">
          <textarea
            {...w}
            ref={ref}
            class={p.mono ? 'k-mono' : undefined}
            spellcheck={p.mono ? false : undefined}
            data-focus={p.focus ? '' : undefined}
            rows={p.rows ?? 3}
            name={p.name}
            placeholder={p.placeholder}
            maxLength={p.maxLength}
            disabled={p.disabled}
            readOnly={p.readOnly}
            value={p.value}
            onInput={(e) => p.onInput(e.currentTarget.value)}
          />
        </div>
      )}
    </Field>
  );
}

export interface Option {
  value: string;
  label: string;
  disabled?: boolean;
}

export interface SelectFieldProps extends FieldBase {
  value: string;
  options: Option[];
  onChange: (value: string) => void;
  name?: string;
  disabled?: boolean;
}

export function SelectField(p: SelectFieldProps) {
  return (
    <Field {...base(p)}>
      {(w) => (
        <div class="k-input k-select">
          <select
            {...w}
            name={p.name}
            disabled={p.disabled}
            value={p.value}
            onChange={(e) => p.onChange(e.currentTarget.value)}
          >
            {p.options.map((o) => (
              <option key={o.value} value={o.value} disabled={o.disabled} selected={o.value === p.value}>
                {o.label}
              </option>
            ))}
          </select>
          <Icon name="chevron-right" />
        </div>
      )}
    </Field>
  );
}

export interface DateFieldProps extends FieldBase {
  /** YYYY-MM-DD, or with type="month" YYYY-MM; empty when none. */
  value: string;
  onChange: (value: string) => void;
  type?: 'date' | 'month' | 'time' | 'datetime-local';
  min?: string;
  max?: string;
  name?: string;
  disabled?: boolean;
}

export function DateField(p: DateFieldProps) {
  return (
    <Field {...base(p)}>
      {(w) => (
        <div class="k-input">
          <input
            {...w}
            class="k-num"
            type={p.type ?? 'date'}
            name={p.name}
            min={p.min}
            max={p.max}
            disabled={p.disabled}
            value={p.value}
            onInput={(e) => p.onChange(e.currentTarget.value)}
          />
        </div>
      )}
    </Field>
  );
}

export interface FileFieldProps extends FieldBase {
  onFiles: (files: File[]) => void;
  /** On the button that opens the chooser. */
  buttonLabel: string;
  /** What is chosen, shown beside the button. */
  fileName?: string;
  accept?: string;
  multiple?: boolean;
  capture?: 'environment' | 'user';
  disabled?: boolean;
}

/** Takes a file from the chooser or dropped on it. The same file may be chosen again. */
export function FileField(p: FileFieldProps) {
  const [over, setOver] = useState(false);
  const take = (list: FileList | null | undefined) => {
    const files = Array.from(list ?? []);
    if (files.length && !p.disabled) p.onFiles(p.multiple ? files : files.slice(0, 1));
  };
  return (
    <Field {...base(p)}>
      {(w) => (
        <div
          class={cx('k-file', over && 'k-on')}
          onDragOver={(e) => {
            e.preventDefault();
            setOver(true);
          }}
          onDragLeave={() => setOver(false)}
          onDrop={(e) => {
            e.preventDefault();
            setOver(false);
            take(e.dataTransfer?.files);
          }}
        >
          <input
            {...w}
            type="file"
            accept={p.accept}
            multiple={p.multiple}
            capture={p.capture}
            disabled={p.disabled}
            onChange={(e) => {
              take(e.currentTarget.files);
              e.currentTarget.value = '';
            }}
          />
          <span class="k-btn k-btn-plain" aria-hidden="true">
            <Icon name="upload" />
            <span>{p.buttonLabel}</span>
          </span>
          {p.fileName && <span class="k-file-name">{p.fileName}</span>}
        </div>
      )}
    </Field>
  );
}

export interface CheckProps {
  label: ComponentChildren;
  note?: ComponentChildren;
  checked: boolean;
  onChange: (checked: boolean) => void;
  name?: string;
  disabled?: boolean;
}

function tick(p: CheckProps, kind: 'checkbox' | 'switch') {
  return (
    <label class={`k-tick k-${kind}`}>
      <input
        type="checkbox"
        role={kind === 'switch' ? 'switch' : undefined}
        name={p.name}
        checked={p.checked}
        disabled={p.disabled}
        onChange={(e) => {
          const want = e.currentTarget.checked;
          // What is shown follows the value given, also when the caller refuses the change.
          e.currentTarget.checked = p.checked;
          p.onChange(want);
        }}
      />
      <span class="k-tick-mark" aria-hidden="true">
        {kind === 'checkbox' && <Icon name="check" />}
      </span>
      <span class="k-tick-text">
        <span>{p.label}</span>
        {p.note && <span class="k-hint">{p.note}</span>}
      </span>
    </label>
  );
}

export const Checkbox = (p: CheckProps) => tick(p, 'checkbox');
export const Switch = (p: CheckProps) => tick(p, 'switch');

export interface SegmentedProps {
  label: string;
  value: string;
  options: Option[];
  onChange: (value: string) => void;
  showLabel?: boolean;
}

/** A few exclusive choices in a row: radio buttons underneath, so arrows move between them. */
export function Segmented({ label, value, options, onChange, showLabel }: SegmentedProps) {
  const name = useId();
  return (
    <fieldset class="k-seg">
      <legend class={showLabel ? undefined : 'k-vh'}>{label}</legend>
      <div class="k-seg-row">
        {options.map((o) => (
          <label key={o.value}>
            <input
              type="radio"
              name={name}
              value={o.value}
              checked={o.value === value}
              disabled={o.disabled}
              onChange={() => onChange(o.value)}
            />
            <span>{o.label}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

export interface SearchProps {
  label: string;
  value: string;
  onInput: (value: string) => void;
  placeholder?: string;
  clearLabel: string;
  onSubmit?: () => void;
  focus?: boolean;
  inputMode?: TextFieldProps['inputMode'];
}

export function Search(p: SearchProps) {
  const ref = useFocus<HTMLInputElement>(p.focus);
  return (
    <form
      class="k-search"
      role="search"
      onSubmit={(e) => {
        e.preventDefault();
        p.onSubmit?.();
      }}
    >
      <Icon name="search" />
      <input
        ref={ref}
        type="search"
        aria-label={p.label}
        placeholder={p.placeholder}
        autocomplete="off"
        enterkeyhint="search"
        inputMode={p.inputMode}
        data-focus={p.focus ? '' : undefined}
        value={p.value}
        onInput={(e) => p.onInput(e.currentTarget.value)}
      />
      {p.value && (
        <button
          class="k-hit"
          type="button"
          aria-label={p.clearLabel}
          onClick={() => {
            p.onInput('');
            ref.current?.focus();
          }}
        >
          <Icon name="close" />
        </button>
      )}
    </form>
  );
}
