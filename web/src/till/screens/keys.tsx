/** Keys of staff, tills and programs: added with a name and a role, shown once, ended. */
import { useState } from 'preact/hooks';
import { c, failureText } from '../../common/text';
import { Badge, Button, Cell, Dialog, Empty, List, Segmented, SelectField, Sheet, TextField } from '../../kit';
import { useAct, useLoad } from '../../lib/load';
import { href } from '../../lib/router';
import { type Key, type NewKey, type Role, addKey, endKey, listKeys, listTills } from '../api';
import { Frame } from '../frame';
import { Secret } from '../secret';
import { t } from '../text';
import { Loaded, Refusal } from '../view';

const ROLES: Role[] = ['staff', 'viewer', 'admin'];
const TONE = { viewer: 'neutral', staff: 'brand', admin: 'warn' } as const;

export default function Keys() {
  const keys = useLoad(listKeys, []);
  const tills = useLoad(listTills, []);
  const [adding, setAdding] = useState(false);
  const [made, setMade] = useState<NewKey>();
  const [ending, setEnding] = useState<Key>();
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('staff');
  const [till, setTill] = useState('');
  const add = useAct(async () => {
    const key = await addKey(name.trim(), role, till || undefined);
    setAdding(false);
    setName('');
    setMade(key);
    keys.reload();
  });
  const end = useAct(async (key: Key) => {
    await endKey(key.id);
    setEnding(undefined);
    keys.reload();
  });
  const begin = () => {
    add.clear();
    setAdding(true);
  };
  const tillName = (id: string) => tills.data?.find((one) => one.id === id)?.name ?? id;
  return (
    <Frame title={t('keys.title')} tab="/more" back={href('/more')}>
      <p class="till-note">{t('keys.lead')}</p>
      <Loaded load={keys}>
        {(list) =>
          list.length === 0 ? (
            <Empty icon="key" title={t('keys.none')} />
          ) : (
            <List label={t('keys.title')}>
              {list.map((key) => (
                <Cell
                  key={key.id}
                  icon="key"
                  title={key.name}
                  note={key.till ? tillName(key.till) : t('keys.any.till')}
                  value={<Badge tone={TONE[key.role]}>{t(`role.${key.role}`)}</Badge>}
                  trailing={
                    <Button kind="quiet" small onClick={() => setEnding(key)}>
                      {t('keys.end')}
                    </Button>
                  }
                />
              ))}
            </List>
          )
        }
      </Loaded>
      <Button kind="primary" block icon="plus" onClick={begin}>
        {t('keys.add')}
      </Button>
      <Sheet open={adding} onClose={() => setAdding(false)} title={t('keys.add')} closeLabel={c('close')}>
        <form
          class="k-stack"
          onSubmit={(event) => {
            event.preventDefault();
            if (name.trim() !== '') add.run();
          }}
        >
          <TextField label={t('keys.name')} hint={t('keys.name.hint')} value={name} onInput={setName} maxLength={40} focus error={add.failure && failureText(add.failure)} />
          <Segmented showLabel label={t('settings.role')} value={role} options={ROLES.map((one) => ({ value: one, label: t(`role.${one}`) }))} onChange={(next) => setRole(next as Role)} />
          <p class="till-note" role="status">
            {t(`role.${role}.note`)}
          </p>
          <SelectField
            label={t('keys.till')}
            hint={t('keys.till.hint')}
            value={till}
            options={[{ value: '', label: t('keys.any.till') }, ...(tills.data ?? []).map((one) => ({ value: one.id, label: one.name }))]}
            onChange={setTill}
          />
          <Button kind="primary" block type="submit" busy={add.busy} disabled={name.trim() === ''}>
            {t('keys.add')}
          </Button>
        </form>
      </Sheet>
      {made && <Secret secret={made.secret} title={made.key.name} note={t('keys.once.note')} qr onClose={() => setMade(undefined)} />}
      <Dialog
        open={ending !== undefined}
        onClose={() => setEnding(undefined)}
        title={t('keys.sure', { name: ending?.name ?? '' })}
        actions={
          <>
            <Button onClick={() => setEnding(undefined)}>{c('cancel')}</Button>
            <Button kind="danger" busy={end.busy} onClick={() => ending && end.run(ending)}>
              {t('keys.end')}
            </Button>
          </>
        }
      >
        <p>{t('keys.sure.note')}</p>
        <Refusal failure={end.failure} />
      </Dialog>
    </Frame>
  );
}
