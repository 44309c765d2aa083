/** Who runs the city, with which keys; and the keys of anybody, by their owner's id. */
import { useState } from 'preact/hooks';
import { Badge, Button, Empty, Page, Row, Section, Stack, Table, TextField } from '../kit';
import { useLoad } from '../lib/load';
import { type OperatorSeen, addOperator, operators } from './api';
import { KeysTable } from './keys-table';
import { ActDialog, Id, Loaded, SecretDialog, When } from './parts';
import { t } from './text';
import { useWho } from './who';

export default function Keys() {
  const who = useWho();
  const found = useLoad(operators, []);
  const [adding, setAdding] = useState(false);
  const [name, setName] = useState('');
  const [secret, setSecret] = useState<string>();
  const [typed, setTyped] = useState('');
  const [owner, setOwner] = useState<{ id: string; name: string }>();
  const malformed = typed !== '' && !/^(opr|mch|blr)_[0-9a-z]{26}$/.test(typed.trim());
  return (
    <Page
      title={t('nav.keys')}
      wide
      actions={
        <Button kind="primary" icon="plus" onClick={() => setAdding(true)}>
          {t('operator.add')}
        </Button>
      }
    >
      <Section title={t('operators')}>
        <Loaded load={found}>
          {({ items }) => (
            <Table<OperatorSeen>
              caption={t('operators')}
              rows={items}
              rowKey={(one) => one.id}
              onRow={(one) => setOwner({ id: one.id, name: one.name })}
              empty={<Empty icon="people" title={t('operators.none')} />}
              columns={[
                {
                  key: 'name',
                  label: t('name'),
                  cell: (one) => (
                    <>
                      {one.name} {one.id === who.id && <Badge tone="brand">{t('you')}</Badge>}
                    </>
                  ),
                },
                { key: 'keys', label: t('keys.live'), cell: (one) => one.keys.map((key) => `${key.name} (${t(`role.${key.role}`)})`).join(t('comma')) || t('none') },
                { key: 'at', label: t('since'), cell: (one) => <When at={one.created_at} /> },
                { key: 'id', label: t('id'), cell: (one) => <Id id={one.id} /> },
              ]}
            />
          )}
        </Loaded>
      </Section>
      <Section title={owner ? t('keys.of', { name: owner.name }) : t('keys.whose')}>
        <Stack>
          <form
            class="o-inline"
            role="search"
            noValidate
            onSubmit={(e) => {
              e.preventDefault();
              if (!malformed && typed !== '') setOwner({ id: typed.trim(), name: typed.trim() });
            }}
          >
            <TextField label={t('keys.owner')} hint={t('keys.owner.hint')} error={malformed ? t('keys.owner.wrong') : undefined} mono value={typed} onInput={setTyped} />
            <Row>
              <Button type="submit" icon="search">
                {t('show')}
              </Button>
            </Row>
          </form>
          <div aria-live="polite">{owner && <KeysTable key={owner.id} owner={owner.id} ownerName={owner.name} empty={t('keys.none.note')} />}</div>
        </Stack>
      </Section>
      <ActDialog
        open={adding}
        onClose={() => setAdding(false)}
        title={t('operator.add')}
        confirm={t('operator.add')}
        ready={name.trim() !== ''}
        act={async (reason) => {
          const made = await addOperator(name.trim(), reason);
          setName('');
          setSecret(made.secret);
          found.reload();
        }}
      >
        <Stack>
          <p>{t('operator.add.what')}</p>
          <TextField label={t('operator.name')} required maxLength={40} value={name} onInput={setName} />
        </Stack>
      </ActDialog>
      <SecretDialog secret={secret} onClose={() => setSecret(undefined)} />
    </Page>
  );
}
