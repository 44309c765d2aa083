/** Shops: looked up with a reason, opened, given keys, closed. */
import { useState } from 'preact/hooks';
import { c } from '../common/text';
import { Button, Card, Descriptions, Dialog, Empty, Page, Row, Stack, TextField, toast } from '../kit';
import { useAct } from '../lib/load';
import { href } from '../lib/router';
import { type Shop, type ShopSeen, closeShop, findShops, openShop } from './api';
import type { ScreenProps } from './app';
import { KeysTable } from './keys-table';
import { LookUp, type Looked } from './look';
import { ActDialog, Id, Money, ReasonField, Refused, State, When, isReason } from './parts';
import { t } from './text';
import { useMay } from './who';

export default function Shops({ query }: ScreenProps) {
  const staff = useMay('staff');
  const [found, setFound] = useState<Looked<ShopSeen>>();
  const [opening, setOpening] = useState(false);
  const again = async () => {
    if (found) setFound({ ...found, items: (await findShops(found.q, found.reason)).items });
  };
  return (
    <Page
      title={t('nav.shops')}
      wide
      actions={
        staff && (
          <Button kind="primary" icon="plus" onClick={() => setOpening(true)}>
            {t('shop.open')}
          </Button>
        )
      }
    >
      <div class="o-two">
        <LookUp q={query.get('q') ?? ''} label={t('shops.q')} hint={t('shops.q.hint')} find={findShops} onFound={setFound} />
        <div aria-live="polite">
          {!found ? (
            <Empty icon="shop" title={t('shops.start')} note={t('shops.start.note')} />
          ) : found.items.length === 0 ? (
            <Empty icon="search" title={t('shops.none')} note={t('shops.none.note')} />
          ) : (
            found.items.map((one) => <Seen key={one.id} one={one} onChange={again} />)
          )}
        </div>
      </div>
      {opening && <Open onClose={() => setOpening(false)} />}
    </Page>
  );
}

function Seen({ one, onChange }: { one: ShopSeen; onChange: () => Promise<void> }) {
  const staff = useMay('staff');
  const admin = useMay('admin');
  const [closing, setClosing] = useState(false);
  const [keys, setKeys] = useState(false);
  return (
    <div class="o-seen">
      <Card title={one.name}>
        <Stack>
          <Descriptions
            items={[
              { label: t('state'), value: <State tone={one.closed_at ? 'neutral' : 'ok'}>{t(one.closed_at ? 'shop.closed' : 'shop.trading')}</State> },
              ...(one.closed_at ? [{ label: t('shop.closed.at'), value: <When at={one.closed_at} /> }] : []),
              { label: t('shop.reference'), value: <Id id={one.reference} /> },
              { label: t('shop.legal'), value: one.legal_id ? <span class="k-num">{one.legal_id}</span> : t('none') },
              { label: t('shop.mcc'), value: <span class="k-num">{one.mcc}</span> },
              { label: t('shop.place'), value: `${one.city} · ${one.region}` },
              ...(staff
                ? [
                    { label: t('available'), value: <Money of={one.available} /> },
                    { label: t('held'), value: <Money of={one.reserved} /> },
                  ]
                : []),
              { label: t('since'), value: <When at={one.created_at} /> },
              { label: t('id'), value: <Id id={one.id} /> },
            ]}
          />
          <Row>
            {staff && (
              <Button icon="transfer" href={href('/money', { kind: 'payout', subject: one.id })}>
                {t('kind.payout')}
              </Button>
            )}
            {admin && (
              <Button icon="key" pressed={keys} onClick={() => setKeys(!keys)}>
                {t('tab.keys')}
              </Button>
            )}
            {admin && !one.closed_at && (
              <Button onClick={() => setClosing(true)}>
                {t('shop.close')}
              </Button>
            )}
          </Row>
          {keys && <KeysTable owner={one.id} ownerName={one.name} empty={t('keys.none.shop')} />}
        </Stack>
      </Card>
      <ActDialog
        open={closing}
        onClose={() => setClosing(false)}
        title={t('shop.close.title', { name: one.name })}
        confirm={t('shop.close')}
        danger
        typed={{ label: t('shop.close.typed'), text: one.name }}
        done={t('shop.close.done')}
        act={async (reason) => {
          await closeShop(one.id, reason);
          await onChange();
        }}
      >
        <p>{t('shop.close.what')}</p>
      </ActDialog>
    </div>
  );
}

function Open({ onClose }: { onClose: () => void }) {
  const admin = useMay('admin');
  const [form, setForm] = useState({ reference: '', name: '', mcc: '', city: '', region: '', legal_id: '' });
  const [reason, setReason] = useState('');
  const [tried, setTried] = useState(false);
  const [made, setMade] = useState<Shop>();
  const doing = useAct(async () => {
    const { legal_id, ...rest } = form;
    setMade(await openShop({ ...rest, legal_id: legal_id.trim() === '' ? null : legal_id.trim(), reason: reason.trim() }));
    toast(t('shop.opened'), 'ok');
  });
  const wrong = {
    reference: form.reference.trim() === '',
    name: form.name.trim() === '',
    mcc: !/^\d{4}$/.test(form.mcc),
    city: form.city.trim() === '' || Array.from(form.city).length > 15,
    region: !/^\d{6}$/.test(form.region),
    legal_id: form.legal_id !== '' && !/^[0-9A-Z]{18}$/.test(form.legal_id),
  };
  const field = (name: keyof typeof form, more: { mono?: boolean; optional?: boolean; inputMode?: 'numeric'; maxLength?: number } = {}) => (
    <TextField
      label={t(`open.${name}`)}
      hint={t(`open.${name}.hint`)}
      error={tried && wrong[name] ? t(`open.${name}.wrong`) : undefined}
      required={!more.optional}
      optionalLabel={more.optional ? t('optional') : undefined}
      mono={more.mono}
      inputMode={more.inputMode}
      maxLength={more.maxLength}
      value={form[name]}
      onInput={(value) => setForm({ ...form, [name]: value })}
    />
  );
  return (
    <Dialog
      open
      onClose={onClose}
      title={made ? made.name : t('shop.open')}
      actions={
        made ? (
          <Button kind="primary" onClick={onClose}>
            {c('done')}
          </Button>
        ) : (
          <>
            <Button onClick={onClose}>{c('cancel')}</Button>
            <Button kind="primary" type="submit" form="open-shop" busy={doing.busy}>
              {t('shop.open')}
            </Button>
          </>
        )
      }
    >
      {made ? (
        <Stack>
          <p>
            {t('shop.opened.id')} <Id id={made.id} />
          </p>
          {admin ? (
            <>
              <p>{t('shop.opened.key')}</p>
              <KeysTable owner={made.id} ownerName={made.name} empty={t('keys.none.shop')} />
            </>
          ) : (
            <p>{t('shop.opened.admin')}</p>
          )}
        </Stack>
      ) : (
        <form
          id="open-shop"
          noValidate
          onSubmit={(e) => {
            e.preventDefault();
            setTried(true);
            if (isReason(reason) && !Object.values(wrong).some(Boolean)) doing.run();
          }}
        >
          <Stack>
            {field('name', { maxLength: 60 })}
            {field('reference', { mono: true, maxLength: 64 })}
            {field('mcc', { mono: true, inputMode: 'numeric', maxLength: 4 })}
            {field('city', { maxLength: 15 })}
            {field('region', { mono: true, inputMode: 'numeric', maxLength: 6 })}
            {field('legal_id', { mono: true, optional: true, maxLength: 18 })}
            <ReasonField value={reason} onInput={setReason} error={tried && !isReason(reason)} />
            <Refused failure={doing.failure} />
          </Stack>
        </form>
      )}
    </Dialog>
  );
}
