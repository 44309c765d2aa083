/** Campaigns of coupons: what is left of each, set up with a reason, ended with a reason. */
import { useState } from 'preact/hooks';
import { c } from '../common/text';
import { Banner, Button, DateField, Empty, Page, Pager, Stack, Table, TextField, type Tone, toast } from '../kit';
import { freshKey } from '../lib/call';
import { cityCurrency, day, dayBegins, fourEyesLimit, money, number, parseAmount, today } from '../lib/format';
import { usePages } from '../lib/load';
import { type Campaign, addCampaign, campaigns, endCampaign } from './api';
import { ActDialog, Loaded, Money, Refused, State, dayBy, inCity } from './parts';
import { t } from './text';
import { WAITING_CHANGED, useMay } from './who';

const TONE: Record<Campaign['state'], Tone> = {
  unfunded: 'warn',
  upcoming: 'info',
  running: 'ok',
  used_up: 'neutral',
  over: 'neutral',
  ended: 'neutral',
};

/** The last day of a time that ends at the beginning of the next. */
const lastDay = (until: string): string => today(new Date(new Date(until).getTime() - 1));

export default function Coupons() {
  const admin = useMay('admin');
  const found = usePages((cursor, signal) => campaigns(cursor, signal), []);
  const [adding, setAdding] = useState(false);
  const [waits, setWaits] = useState(false);
  const [ending, setEnding] = useState<Campaign>();
  const add = admin && (
    <Button kind="primary" icon="plus" onClick={() => setAdding(true)}>
      {t('coupons.add')}
    </Button>
  );
  return (
    <Page title={t('nav.coupons')} wide actions={found.data && found.data.length > 0 && add}>
      {waits && (
        <Banner tone="warn" role="status" icon="eye">
          {t('coupons.waits')}
        </Banner>
      )}
      <Loaded load={found}>
        {(items) =>
          items.length === 0 ? (
            <Empty icon="coupon" title={t('coupons.none')} note={t(admin ? 'coupons.none.note' : 'coupons.none.viewer')} action={add} />
          ) : (
            <Table
              caption={t('nav.coupons')}
              rows={items}
              rowKey={(one) => one.id}
              columns={[
                { key: 'name', label: t('campaign.name'), cell: (one) => <strong>{one.name}</strong> },
                { key: 'state', label: t('state'), cell: (one) => <State tone={TONE[one.state]}>{t(`campaign.${one.state}`)}</State> },
                {
                  key: 'offer',
                  label: t('coupons.offer'),
                  cell: (one) => t('coupons.offer.text', { minimum: money(one.minimum), discount: money(one.discount) }),
                },
                {
                  key: 'left',
                  label: t('coupons.left'),
                  align: 'end',
                  cell: (one) => (
                    <span class="o-subject">
                      <Money of={one.left} />
                      <span class="o-note">{t('coupons.left.of', { budget: money(one.budget) })}</span>
                    </span>
                  ),
                },
                {
                  key: 'time',
                  label: t('coupons.time'),
                  cell: (one) => `${day(today(new Date(one.valid_from)))} – ${day(lastDay(one.valid_until))}`,
                },
                { key: 'shop', label: t('coupons.shop'), cell: (one) => one.shop_name ?? t('coupons.everywhere') },
                {
                  key: 'end',
                  label: t('campaign.end'),
                  hideLabel: true,
                  cell: (one) =>
                    admin &&
                    (!one.ended_at || one.left.minor > 0) && (
                      <Button small onClick={() => setEnding(one)}>
                        {t(one.ended_at ? 'campaign.end.again' : 'campaign.end.do')}
                      </Button>
                    ),
                },
              ]}
            />
          )
        }
      </Loaded>
      {found.data && <Refused failure={found.failure} />}
      {found.more && <Pager label={c('more')} busy={found.busy} onMore={found.more} />}
      {adding && (
        <Add
          onClose={() => setAdding(false)}
          onAdded={(waiting) => {
            setWaits(waiting);
            found.reload();
            if (waiting) dispatchEvent(new Event(WAITING_CHANGED));
          }}
        />
      )}
      <ActDialog
        open={ending !== undefined}
        onClose={() => setEnding(undefined)}
        title={t(ending?.ended_at ? 'campaign.end.again' : 'campaign.end')}
        confirm={t(ending?.ended_at ? 'campaign.end.again' : 'campaign.end')}
        danger
        act={async (reason) => {
          if (!ending) return;
          const { returned } = await endCampaign(ending.id, reason);
          toast(t('coupons.returned', { amount: money(returned) }), 'ok');
          found.reload();
        }}
      >
        <p>{t('campaign.end.what', { name: ending?.name ?? '' })}</p>
      </ActDialog>
    </Page>
  );
}

/**
 * Keys by what is asked for, for as long as the page lives: a form that was cancelled because its answer was lost, and is filled in
 * the same again, is the same campaign; a form with other content is another.
 */
const keys = new Map<string, string>();
function keyOf(content: object): string {
  const text = JSON.stringify(content);
  const key = keys.get(text) ?? freshKey();
  keys.set(text, key);
  return key;
}

function Add({ onClose, onAdded }: { onClose: () => void; onAdded: (waits: boolean) => void }) {
  const [form, setForm] = useState({ name: '', minimum: '', discount: '', budget: '', from: today(), until: dayBy(today(), 30), shop: '' });
  const [minimum, discount, budget] = [form.minimum, form.discount, form.budget].map((text) => parseAmount(text, cityCurrency()) ?? 0) as [number, number, number];
  const wrong = {
    name: form.name.trim() === '' || Array.from(form.name.trim()).length > 30,
    minimum: minimum <= 0,
    discount: discount <= 0 || discount >= minimum,
    budget: budget <= 0 || budget < discount,
    from: form.from === '',
    until: form.until < form.from || form.until < today(),
    shop: form.shop.trim() !== '' && !/^mch_[0-9a-z]{26}$/.test(form.shop.trim()),
  };
  const set = (name: keyof typeof form) => (value: string) => setForm({ ...form, [name]: value });
  /** What is filled in and wrong is said at once; what is empty when it is sent. A first day is there until somebody takes it away. */
  const error = (name: keyof typeof wrong) => ((form[name] !== '' || name === 'from') && wrong[name] ? t(`campaign.${name}.wrong`) : undefined);
  const limit = fourEyesLimit();
  const enough = discount > 0 && budget >= discount ? t('campaign.budget.n', { n: number(Math.floor(budget / discount)) }) : undefined;
  return (
    <ActDialog
      open
      onClose={onClose}
      title={t('campaign.new')}
      confirm={t('coupons.add')}
      ready={!Object.values(wrong).some(Boolean)}
      act={async (reason) => {
        const content = {
          name: form.name.trim(),
          minimum: inCity(minimum),
          discount: inCity(discount),
          budget: inCity(budget),
          valid_from: dayBegins(form.from),
          valid_until: dayBegins(dayBy(form.until, 1)),
          shop: form.shop.trim() || null,
        };
        const made = await addCampaign({ ...content, reason }, keyOf(content));
        keys.delete(JSON.stringify(content)); // what is set up is over: the same again is meant to be another
        onAdded(Boolean(made.waits_for));
      }}
    >
      <Stack>
        <TextField label={t('campaign.name')} hint={t('campaign.name.hint')} error={error('name')} required focus maxLength={60} value={form.name} onInput={set('name')} />
        <TextField label={t('campaign.minimum')} hint={t('campaign.minimum.hint')} error={error('minimum')} required mono inputMode="decimal" value={form.minimum} onInput={set('minimum')} />
        <TextField label={t('campaign.discount')} hint={t('campaign.discount.hint')} error={error('discount')} required mono inputMode="decimal" value={form.discount} onInput={set('discount')} />
        <TextField
          label={t('campaign.budget')}
          hint={enough ?? t('campaign.budget.hint', { limit: money(limit ?? inCity(0)) })}
          error={error('budget')}
          required
          mono
          inputMode="decimal"
          value={form.budget}
          onInput={set('budget')}
        />
        <DateField label={t('campaign.from')} error={error('from')} required value={form.from} onChange={set('from')} />
        <DateField label={t('campaign.until')} error={error('until')} required min={form.from} value={form.until} onChange={set('until')} />
        <TextField label={t('campaign.shop')} hint={t('campaign.shop.hint')} error={error('shop')} optionalLabel={t('optional')} mono value={form.shop} onInput={set('shop')} />
      </Stack>
    </ActDialog>
  );
}
