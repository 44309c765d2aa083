/** Who sits before the console, and what their key may do. What a role may not do is not offered; the server refuses it anyway. */
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Role } from './api';

export interface Who {
  id: string;
  name: string;
  role: Role;
}

const RANK: Record<Role, number> = { viewer: 0, staff: 1, admin: 2 };

export const WhoContext = createContext<Who>({ id: '', name: '', role: 'viewer' });
export const useWho = (): Who => useContext(WhoContext);
export const reaches = (role: Role, needed: Role): boolean => RANK[role] >= RANK[needed];

/** Whether the operator's key reaches as far as `needed`. */
export const useMay = (needed: Role): boolean => reaches(useWho().role, needed);

/** Told to the window when an approval was asked for or decided. */
export const WAITING_CHANGED = 'yima-waiting-changed';
