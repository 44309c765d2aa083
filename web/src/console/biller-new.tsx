/** Adding a biller: its pack pasted or uploaded, tried out with every check, then added with a reason. */
import { useState } from 'preact/hooks';
import { Banner, Button, Card, FileField, Icon, Page, Stack, Table, TextArea } from '../kit';
import { day as dayText, money } from '../lib/format';
import { useAct } from '../lib/load';
import { go, href } from '../lib/router';
import { type PackChecks, addBiller, checkPack } from './api';
import { ActDialog, Refused } from './parts';
import { t, word } from './text';

const PACK_BYTES = 64 << 10;
/** What fits into the request with the pack, as base64. */
const SAMPLE_BYTES = 1 << 20;

export default function BillerNew() {
  const [pack, setPack] = useState('');
  const [packName, setPackName] = useState<string>();
  const [sample, setSample] = useState<File>();
  const [checked, setChecked] = useState<{ pack: string; sample: File | undefined; result: PackChecks }>();
  const [asks, setAsks] = useState(false);
  const [large, setLarge] = useState(false);
  const [sampleLarge, setSampleLarge] = useState(false);
  const checking = useAct(async () => {
    setChecked({ pack, sample, result: await checkPack(pack, sample) });
  });
  const result = checked?.result;
  const fresh = checked !== undefined && checked.pack === pack && checked.sample === sample;
  return (
    <Page title={t('new.title')} wide back={href('/billers')} backLabel={t('nav.billers')}>
      <div class="o-two">
        <form
          class="o-form"
          noValidate
          onSubmit={(e) => {
            e.preventDefault();
            if (pack.trim() !== '') checking.run();
          }}
        >
          <Card title={t('new.pack')}>
            <Stack>
              <p class="o-note">{t('new.note')}</p>
              <FileField
                label={t('new.pack.file')}
                buttonLabel={t('choose.file')}
                fileName={packName}
                accept=".toml,text/plain"
                error={large ? t('new.pack.large') : undefined}
                onFiles={([file]) => {
                  if (!file) return;
                  setLarge(file.size > PACK_BYTES);
                  if (file.size > PACK_BYTES) return;
                  setPackName(file.name);
                  void file.text().then(setPack);
                }}
              />
              <TextArea label={t('new.pack.text')} hint={t('new.pack.hint')} mono rows={18} required value={pack} onInput={setPack} />
              <FileField
                label={t('new.sample')}
                optionalLabel={t('optional')}
                hint={t('new.sample.hint')}
                buttonLabel={t('choose.file')}
                fileName={sample?.name}
                error={sampleLarge ? t('new.sample.large') : undefined}
                onFiles={([file]) => {
                  if (!file) return;
                  setSampleLarge(file.size > SAMPLE_BYTES);
                  if (file.size <= SAMPLE_BYTES) setSample(file);
                }}
              />
              <Refused failure={checking.failure} />
              <Button kind={fresh && result?.ok ? 'plain' : 'primary'} type="submit" icon="check" busy={checking.busy} disabled={pack.trim() === ''}>
                {t('new.check')}
              </Button>
            </Stack>
          </Card>
        </form>
        <Card title={t('new.checks')}>
          <div aria-live="polite">
            {!checked || !result ? (
              <p class="o-note">{t('new.checks.none')}</p>
            ) : (
              <Stack>
                {!fresh && <Banner tone="warn">{t('new.stale')}</Banner>}
                <Banner tone={result.ok ? 'ok' : 'bad'} title={result.ok ? t('new.passed') : t('new.failed', { n: result.checks.filter((one) => !one.ok).length })}>
                  {result.ok ? t('new.passed.note') : t('new.failed.note')}
                </Banner>
                <ul class="o-checks" role="list">
                  {result.checks.map((one, i) => (
                    <li key={i} class={one.ok ? 'o-check-ok' : 'o-check-bad'}>
                      <Icon name={one.ok ? 'check' : 'error'} label={one.ok ? t('passed') : t('failed')} />
                      <span>
                        <strong>{word(`certify.${one.check}`)}</strong>
                        {one.place && <code class="o-code">{one.place}</code>}
                        {one.why && (
                          <span class="o-note" lang="en">
                            {one.check === 'sample_row' ? word(`row.${one.why}`) : one.why}
                          </span>
                        )}
                      </span>
                    </li>
                  ))}
                </ul>
                {result.bills.length > 0 && (
                  <Table
                    caption={t('new.bills')}
                    showCaption
                    rows={result.bills}
                    rowKey={(bill) => `${bill.account_no} ${bill.bill_no}`}
                    columns={[
                      { key: 'account', label: t('new.account'), cell: (bill) => <span class="k-num">{bill.account_no}</span> },
                      { key: 'bill', label: t('new.bill'), cell: (bill) => <span class="k-num">{bill.bill_no}</span> },
                      { key: 'holder', label: t('new.holder'), cell: (bill) => bill.holder || t('none') },
                      { key: 'due', label: t('new.due'), cell: (bill) => dayText(bill.due) },
                      { key: 'amount', label: t('amount'), align: 'end', cell: (bill) => money(bill.amount) },
                    ]}
                  />
                )}
                {result.ok && result.in_force && <Banner tone="warn">{t(result.in_force === result.rule_version ? 'new.same' : 'new.replaces')}</Banner>}
                {result.ok && (
                  <Button kind="primary" icon="plus" disabled={!fresh} onClick={() => setAsks(true)}>
                    {t('new.add')}
                  </Button>
                )}
              </Stack>
            )}
          </div>
        </Card>
      </div>
      <ActDialog
        open={asks}
        onClose={() => setAsks(false)}
        title={t('new.add.title')}
        confirm={t('new.add')}
        done={t('new.added')}
        act={async (reason) => {
          const added = await addBiller(pack, reason);
          go(`/billers/${added.pack}`);
        }}
      >
        <p>{t(result?.in_force ? 'new.add.replaces' : 'new.add.what', { id: result?.pack ?? '' })}</p>
      </ActDialog>
    </Page>
  );
}
