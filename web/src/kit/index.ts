// The design system of the three front ends. No text lives here: every word shown or said comes in as a prop.
import './tokens.css';
import './kit.css';

export * from './button';
export * from './chart';
export * from './fields';
export { Icon, type IconName } from './icon';
export * from './keypad';
export * from './list';
export * from './overlay';
export * from './page';
export * from './show';
export * from './table';
export type { Tone } from './util';
