/** Service providers whose catalogues become billers, what came of reading them, and how every way to a biller does. */
import { useState } from 'preact/hooks';
import { Banner, Button, Descriptions, Empty, Page, Section, Stack, Table, type Tone } from '../kit';
import { number } from '../lib/format';
import { useLoad } from '../lib/load';
import { href } from '../lib/router';
import { type Provider, type SyncReport, type WayOf, providers, syncProvider, ways } from './api';
import { ActDialog, Id, Loaded, State, When, billerName } from './parts';
import { t, word } from './text';
import { useMay } from './who';

const GATE: Record<string, Tone> = { closed: 'ok', half_open: 'warn', open: 'bad' };

export default function Providers() {
  const admin = useMay('admin');
  const found = useLoad((signal) => providers(signal).then(({ items }) => items), []);
  const lanes = useLoad((signal) => ways(signal).then(({ items }) => items), []);
  const [chosen, setChosen] = useState<Provider>();
  const [fresh, setFresh] = useState<{ connection: string; report: SyncReport }>();
  return (
    <Page title={t('nav.providers')} wide>
      {fresh && <Report connection={fresh.connection} of={fresh.report} />}
      <Loaded load={found}>
        {(rows) => (
          <Table
            caption={t('nav.providers')}
            rows={rows}
            rowKey={(one) => one.connection}
            empty={<Empty icon="webhook" title={t('providers.none')} note={t('providers.none.note')} />}
            columns={[
              { key: 'connection', label: t('provider.connection'), cell: (one) => <Id id={one.connection} /> },
              { key: 'billers', label: t('provider.billers'), align: 'end', cell: (one) => number(one.billers) },
              { key: 'closed', label: t('provider.closed'), align: 'end', cell: (one) => number(one.closed) },
              { key: 'at', label: t('provider.read'), cell: (one) => <When at={one.last_sync?.at} /> },
              {
                key: 'state',
                label: t('state'),
                cell: (one) =>
                  !one.catalogue ? (
                    t('provider.no.catalogue')
                  ) : one.last_sync ? (
                    <State tone={one.last_sync.error ? 'bad' : 'ok'}>{t(one.last_sync.error ? 'provider.unread' : 'provider.good')}</State>
                  ) : (
                    <State tone="neutral">{t('provider.never')}</State>
                  ),
              },
              {
                key: 'acts',
                label: t('action'),
                hideLabel: true,
                cell: (one) => (
                  <>
                    {one.last_sync && (
                      <Button small onClick={() => one.last_sync && setFresh({ connection: one.connection, report: one.last_sync })}>
                        {t('provider.report')}
                      </Button>
                    )}{' '}
                    {admin && one.catalogue && (
                      <Button small icon="refresh" onClick={() => setChosen(one)}>
                        {t('provider.sync')}
                      </Button>
                    )}
                  </>
                ),
              },
            ]}
          />
        )}
      </Loaded>
      <Section title={t('ways')}>
        <p class="o-note">{t('ways.note')}</p>
        <Loaded load={lanes}>
          {(rows: WayOf[]) => (
            <Table
              caption={t('ways')}
              rows={rows}
              rowKey={(one) => `${one.biller} ${one.channel}`}
              empty={<Empty icon="transfer" title={t('ways.none')} note={t('ways.none.note')} />}
              columns={[
                {
                  key: 'biller',
                  label: t('biller'),
                  cell: (one) => (
                    <a class="k-link" href={href(`/billers/${one.pack}`)}>
                      {billerName(one.name)}
                    </a>
                  ),
                },
                { key: 'way', label: t('way'), cell: (one) => word(`way.${one.way}`) },
                { key: 'channel', label: t('way.channel'), cell: (one) => <Id id={one.channel} /> },
                { key: 'gate', label: t('state'), cell: (one) => <State tone={GATE[one.gate] ?? 'neutral'}>{word(`gate.${one.gate}`)}</State> },
                { key: 'done', label: t('way.done'), align: 'end', cell: (one) => number(one.done) },
                { key: 'refused', label: t('way.refused'), align: 'end', cell: (one) => number(one.refused) },
                { key: 'silent', label: t('way.silent'), align: 'end', cell: (one) => number(one.silent) },
                { key: 'unsent', label: t('way.unsent'), align: 'end', cell: (one) => number(one.unsent) },
                { key: 'last', label: t('way.last'), cell: (one) => <When at={one.last_answer} /> },
              ]}
            />
          )}
        </Loaded>
      </Section>
      <ActDialog
        open={chosen !== undefined}
        onClose={() => setChosen(undefined)}
        title={t('provider.sync')}
        confirm={t('provider.sync')}
        act={async (reason) => {
          if (!chosen) return;
          setFresh({ connection: chosen.connection, report: await syncProvider(chosen.connection, reason) });
          found.reload();
        }}
      >
        <p>{t('provider.sync.what', { name: chosen?.connection ?? '' })}</p>
      </ActDialog>
    </Page>
  );
}

const PARTS = ['opened', 'changed', 'closed', 'refused'] as const;

function Report({ connection, of }: { connection: string; of: SyncReport }) {
  return (
    <Section title={t('provider.report.of', { name: connection })}>
      <div role="status">
        <Stack>
          <Banner tone={of.error ? 'bad' : 'ok'} title={t(of.error ? 'provider.unread' : 'provider.good')}>
            {of.error ? <span lang="en">{of.error}</span> : t('provider.institutions', { n: number(of.institutions) })}
          </Banner>
          <Descriptions
            items={PARTS.map((part) => ({
              label: t(`sync.${part}`),
              value:
                of[part].length === 0 ? (
                  t('none')
                ) : (
                  <ul class="o-differences" lang={part === 'refused' ? 'en' : undefined}>
                    {of[part].map((one) => (
                      <li key={one}>{one}</li>
                    ))}
                  </ul>
                ),
            }))}
          />
        </Stack>
      </div>
    </Section>
  );
}
