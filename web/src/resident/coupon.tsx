/** The coupon of a payment: the best one is taken, another or none can be chosen. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { c } from '../common/text';
import { Amount, Cell, List, Sheet } from '../kit';
import { type Amount as Money, dateTime, day, money, today } from '../lib/format';
import { useLoad } from '../lib/load';
import * as api from './api';
import { t } from './text';

/** How long an amount stays as it is before it is asked about: somebody types. */
const TYPING_MS = 250;

export interface Choice {
  /** To be used. */
  coupon: api.Coupon | undefined;
  /** It is not known yet what can be used. */
  pending: boolean;
  /** What can be used, the best first; nothing where that could not be found out. */
  all: api.Coupon[] | undefined;
  choose: (id: string | undefined) => void;
  reload: () => void;
}

/** What can be used at a shop for an amount, and what of that is to be. */
export function useCoupon(shop: string | undefined, minor: number | undefined): Choice {
  const [asked, setAsked] = useState(minor);
  // The choice is for what was shown: another amount begins with the best again.
  const [chosen, setChosen] = useState<{ for: number | undefined; id: string | undefined }>();
  useEffect(() => {
    const timer = setTimeout(() => setAsked(minor), TYPING_MS);
    return () => clearTimeout(timer);
  }, [minor]);
  // An answer, and a failure, are for the amount that was asked about, and say nothing of the one that is typed after it.
  const failedFor = useRef<number | undefined>(undefined);
  const found = useLoad(
    async (signal) => {
      try {
        return { for: asked, items: shop && asked ? await api.coupons(shop, asked, signal) : [] };
      } catch (error) {
        if (!signal.aborted) failedFor.current = asked;
        throw error;
      }
    },
    [shop, asked],
  );
  const answered = found.failure ? failedFor.current : found.data?.for;
  const pending = Boolean(shop && minor) && (found.busy || answered !== minor);
  const all = pending || found.failure ? undefined : (found.data?.items ?? []);
  const own = chosen && chosen.for === minor ? chosen : undefined;
  const coupon = own ? all?.find((one) => one.id === own.id) : all?.[0];
  return { coupon, pending, all, choose: (id) => setChosen({ for: minor, id }), reload: found.reload };
}

/** What is left for the payer. */
export const less = (amount: Money, coupon: { discount: Money } | undefined): Money =>
  coupon ? { ...amount, minor: amount.minor - coupon.discount.minor } : amount;

const off = (coupon: { discount: Money }) => money({ ...coupon.discount, minor: -coupon.discount.minor });

/** The last day of a time that ends with a day; otherwise when it ends. */
function until(end: string): string {
  const last = today(new Date(new Date(end).getTime() - 1));
  return today(new Date(end)) === last ? dateTime(end) : day(last);
}

/** The line of the coupon, and the sheet behind it. */
export function CouponLine({ choice }: { choice: Choice }) {
  const [open, setOpen] = useState(false);
  const { all = [], coupon, pending } = choice;
  const take = (id: string | undefined) => {
    choice.choose(id);
    setOpen(false);
  };
  const lost = !pending && choice.all === undefined;
  return (
    <>
      <List label={t('pay.coupon')}>
        {all.length === 0 ? (
          <Cell
            icon="coupon"
            title={t('pay.coupon')}
            value={<span class="muted">{t(pending ? 'pay.coupon.looking' : lost ? 'pay.coupon.lost' : 'pay.coupon.none')}</span>}
          />
        ) : (
          <Cell
            icon="coupon"
            title={t('pay.coupon')}
            note={coupon?.name}
            value={coupon ? <Amount text={off(coupon)} tone="ok" /> : t('pay.coupon.off', { n: all.length })}
            onClick={() => setOpen(true)}
          />
        )}
      </List>
      <Sheet open={open} onClose={() => setOpen(false)} title={t('pay.coupon.choose')} closeLabel={c('close')}>
        <List label={t('pay.coupon.choose')}>
          {all.map((one) => (
            <Cell
              key={one.id}
              icon={one.id === coupon?.id ? 'check' : 'coupon'}
              title={one.name}
              note={
                <>
                  {t('pay.coupon.for', { minimum: money(one.minimum), until: until(one.valid_until) })}
                  {one.id === coupon?.id && <Chosen />}
                </>
              }
              value={<Amount text={off(one)} tone="ok" />}
              trailing={null}
              onClick={() => take(one.id)}
            />
          ))}
          <Cell icon={coupon ? 'close' : 'check'} title={t('pay.coupon.without')} note={coupon ? undefined : <Chosen />} trailing={null} onClick={() => take(undefined)} />
        </List>
        <p class="muted">{t('pay.coupon.once')}</p>
      </Sheet>
    </>
  );
}

const Chosen = () => <strong class="coupon-chosen">{t('pay.coupon.chosen')}</strong>;

/** What a receipt says of a coupon; of a payment also what was left for the payer. */
export const couponRows = (amount: Money, used: api.UsedCoupon, payment: boolean): [string, ComponentChildren][] => [
  [
    t('pay.coupon'),
    payment ? (
      <>
        {used.name} <span class="nowrap">{off(used)}</span>
      </>
    ) : (
      used.name
    ),
  ],
  ...(payment ? ([[t('pay.own'), money(less(amount, used))]] as [string, string][]) : []),
];
