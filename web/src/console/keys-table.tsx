/** The live keys of somebody: added with a reason and shown once, ended with a reason. */
import { useState } from 'preact/hooks';
import { Badge, Button, Empty, Row, SelectField, Stack, Table, TextField } from '../kit';
import { useLoad } from '../lib/load';
import { type Key, type NewKey, type Role, addKey, addShopKey, endKey, keysOf } from './api';
import { ActDialog, Id, Loaded, SecretDialog } from './parts';
import { t } from './text';

const ROLES: Role[] = ['viewer', 'staff', 'admin'];

export function KeysTable({ owner, ownerName, empty }: { owner: string; ownerName: string; empty: string }) {
  const found = useLoad((signal) => keysOf(owner, signal), [owner]);
  const [adding, setAdding] = useState(false);
  const [ending, setEnding] = useState<Key>();
  const [secret, setSecret] = useState<string>();
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('staff');
  const add = (
    <Button icon="plus" onClick={() => setAdding(true)}>
      {t('key.add')}
    </Button>
  );
  return (
    <>
      <Loaded load={found}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty icon="key" title={t('keys.none')} note={empty} action={add} />
          ) : (
            <Stack>
              <Table
                caption={t('keys.of', { name: ownerName })}
                rows={items}
                rowKey={(key) => key.id}
                columns={[
                  { key: 'name', label: t('name'), cell: (key) => key.name },
                  { key: 'role', label: t('role'), cell: (key) => <Badge>{t(`role.${key.role}`)}</Badge> },
                  { key: 'id', label: t('key'), cell: (key) => <Id id={key.id} /> },
                  {
                    key: 'end',
                    label: t('key.end'),
                    hideLabel: true,
                    align: 'end',
                    cell: (key) => (
                      <Button small kind="danger" onClick={() => setEnding(key)}>
                        {t('key.end')}
                      </Button>
                    ),
                  },
                ]}
              />
              <Row>{add}</Row>
            </Stack>
          )
        }
      </Loaded>
      <ActDialog
        open={adding}
        onClose={() => setAdding(false)}
        title={t('key.add.title', { name: ownerName })}
        confirm={t('key.add')}
        ready={name.trim() !== ''}
        act={async (reason) => {
          const made: NewKey = owner.startsWith('mch_') ? await addShopKey(owner, role, name.trim(), reason) : await addKey(owner, role, name.trim(), reason);
          setName('');
          setSecret(made.secret);
          found.reload();
        }}
      >
        <Stack>
          <p>{t('key.add.what')}</p>
          <TextField label={t('key.name')} hint={t('key.name.hint')} required maxLength={40} value={name} onInput={setName} />
          <SelectField
            label={t('role')}
            hint={t(`role.${role}.note`)}
            value={role}
            options={ROLES.map((value) => ({ value, label: t(`role.${value}`) }))}
            onChange={(value) => setRole(value as Role)}
          />
        </Stack>
      </ActDialog>
      <ActDialog
        open={ending !== undefined}
        onClose={() => setEnding(undefined)}
        title={t('key.end')}
        confirm={t('key.end')}
        danger
        typed={ending && { label: t('key.end.typed'), text: ending.name || ending.id }}
        done={t('key.ended')}
        act={async (reason) => {
          if (!ending) return;
          await endKey(ending.id, reason);
          found.reload();
        }}
      >
        <p>{t('key.end.what', { name: ownerName })}</p>
      </ActDialog>
      <SecretDialog secret={secret} onClose={() => setSecret(undefined)} />
    </>
  );
}
