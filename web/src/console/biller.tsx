/** One biller: what its pack says, its keys, its bill files, its days. */
import { useState } from 'preact/hooks';
import { Badge, Banner, Button, Card, Descriptions, FileField, Page, Row, Section, Segmented, Skeleton, Stack, toast } from '../kit';
import { useAct, useLoad } from '../lib/load';
import { href, replace } from '../lib/router';
import { type Biller, biller, upload } from './api';
import type { ScreenProps } from './app';
import { ImportsTable, useImports } from './imports-table';
import { KeysTable } from './keys-table';
import { today } from '../lib/format';
import { Id, Loaded, Refused, billerName, dayBy, isDay } from './parts';
import { SettlementDay } from './settlement-day';
import { t, word } from './text';
import { useMay } from './who';

const TABS = ['imports', 'settlements', 'facts', 'keys'] as const;
type Tab = (typeof TABS)[number];

export default function BillerScreen({ params, query }: ScreenProps) {
  const id = params.id ?? '';
  const found = useLoad((signal) => biller(id, signal), [id]);
  const admin = useMay('admin');
  const tabs = TABS.filter((one) => one !== 'keys' || admin);
  const asked = query.get('tab') as Tab | null;
  const tab = asked && tabs.includes(asked) ? asked : 'imports';
  const title = found.data ? billerName(found.data.name) : t('biller');
  return (
    <Page title={title} wide back={href('/billers')} backLabel={t('nav.billers')}>
      <Row>
        <Segmented
          label={t('biller.parts')}
          value={tab}
          options={tabs.map((value) => ({ value, label: t(`tab.${value}`) }))}
          onChange={(value) => replace(`/billers/${id}`, { tab: value })}
        />
      </Row>
      <Loaded load={found} shape="card">
        {(one) => {
          if (tab === 'facts') return <Facts of={one} />;
          if (tab === 'keys') return <KeysTable owner={one.id} ownerName={title} empty={t('keys.none.biller')} />;
          if (tab === 'imports') return <Files of={one} />;
          const day = query.get('day');
          return (
            <SettlementDay
              biller={one.id}
              name={title}
              day={isDay(day) ? day : dayBy(today(), -1)}
              onDay={(to) => replace(`/billers/${id}`, { tab: 'settlements', day: to })}
            />
          );
        }}
      </Loaded>
    </Page>
  );
}

function Facts({ of }: { of: Biller }) {
  const admin = useMay('admin');
  return (
    <Card>
      <Stack>
        <Descriptions
          items={[
            { label: t('name'), value: `${of.name.zh} · ${of.name.en}` },
            { label: t('category'), value: <Badge>{word(`category.${of.category}`)}</Badge> },
            { label: t('region'), value: <span class="k-num">{of.region}</span> },
            { label: t('account'), value: <code class="o-code">{of.account_pattern}</code> },
            { label: t('amount.rule'), value: word(`rule.${of.amount_rule}`) },
            { label: t('pack'), value: <Id id={of.pack} /> },
            { label: t('id'), value: <Id id={of.id} /> },
            { label: t('rule.version'), value: <Id id={of.rule_version} /> },
          ]}
        />
        <p class="o-note">{t('facts.note')}</p>
        {admin && (
          <Button icon="upload" href={href('/billers/new')}>
            {t('facts.replace')}
          </Button>
        )}
      </Stack>
    </Card>
  );
}

function Files({ of }: { of: Biller }) {
  const may = useMay('staff');
  const found = useImports(of.id);
  const [name, setName] = useState<string>();
  const sending = useAct(async (file: File) => {
    setName(file.name);
    const taken = await upload(of.id, file);
    toast(taken.done ? t('import.known') : t('import.begun'), 'ok');
    setName(undefined);
    found.reload();
  });
  return (
    <Stack>
      {may && (
        <Section title={t('import.new')}>
          <Card>
            <Stack>
              <FileField
                label={t('import.file')}
                hint={t('import.hint')}
                buttonLabel={sending.busy ? t('uploading') : t('choose.file')}
                fileName={name}
                disabled={sending.busy}
                onFiles={([file]) => file && sending.run(file)}
              />
              {sending.busy && <Skeleton lines={1} label={t('uploading')} />}
              <Refused failure={sending.failure} />
              {sending.failure?.code.startsWith('file_') && <Banner tone="info">{t('import.whole.refused')}</Banner>}
            </Stack>
          </Card>
        </Section>
      )}
      <Section title={t('import.list')}>
        <ImportsTable load={found} biller={of.id} empty={may ? t('imports.none.note') : t('imports.none.viewer')} />
      </Section>
    </Stack>
  );
}
