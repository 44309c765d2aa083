/** States as coloured words. */
import { Badge } from '../kit';
import type { Delivery, Endpoint, Status } from './api';
import { has, t } from './text';

const STATUS = { open: 'brand', waiting: 'warn', paid: 'ok', refunded: 'neutral', closed: 'neutral' } as const;

export function StatusBadge({ status }: { status: Status }) {
  return <Badge tone={STATUS[status]}>{t(`status.${status}`)}</Badge>;
}

export function EndpointBadge({ endpoint }: { endpoint: Endpoint }) {
  if (endpoint.disabled_at) return <Badge tone="bad">{t('hooks.disabled')}</Badge>;
  return endpoint.failing_since ? <Badge tone="warn">{t('hooks.failing')}</Badge> : <Badge tone="ok">{t('hooks.live')}</Badge>;
}

const DELIVERY = { pending: 'warn', delivered: 'ok', given_up: 'bad' } as const;

export function DeliveryBadge({ delivery }: { delivery: Delivery }) {
  return <Badge tone={DELIVERY[delivery.state]}>{t(`delivery.${delivery.state}`)}</Badge>;
}

/** A type of message in words; one that this page does not know by its name. */
export function eventText(type: string): string {
  const key = `event.${type}`;
  return has(key) ? t(key) : type;
}
