/** The resident's texts. */
import { catalogue } from '../lib/text';
import type zh from './text.zh';

export const { t, load, has } = catalogue<keyof typeof zh>({ zh: () => import('./text.zh'), en: () => import('./text.en') });
