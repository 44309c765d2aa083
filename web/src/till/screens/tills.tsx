/** The shop's tills: add one, take one out of use. */
import { useState } from 'preact/hooks';
import { c, failureText } from '../../common/text';
import { Button, Cell, Dialog, Empty, List, Sheet, TextField, toast } from '../../kit';
import { dateTime } from '../../lib/format';
import { useAct, useLoad } from '../../lib/load';
import { href } from '../../lib/router';
import { type Till, addTill, closeTill, listTills } from '../api';
import { Frame } from '../frame';
import { t } from '../text';
import { Loaded, Refusal } from '../view';

export default function Tills() {
  const tills = useLoad(listTills, []);
  const [adding, setAdding] = useState(false);
  const [closing, setClosing] = useState<Till>();
  const [name, setName] = useState('');
  const add = useAct(async () => {
    const till = await addTill(name.trim());
    toast(t('tills.added', { name: till.name }), 'ok');
    setAdding(false);
    setName('');
    tills.reload();
  });
  const close = useAct(async (till: Till) => {
    await closeTill(till.id);
    setClosing(undefined);
    tills.reload();
  });
  const begin = () => {
    add.clear();
    setAdding(true);
  };
  return (
    <Frame title={t('tills.title')} tab="/more" back={href('/more')}>
      <Loaded load={tills}>
        {(list) => (
          <>
            {list.length === 0 ? (
              <Empty icon="till" title={t('tills.none')} note={t('tills.none.note')} />
            ) : (
              <List label={t('tills.title')}>
                {list.map((till) => (
                  <Cell
                    key={till.id}
                    icon="till"
                    title={till.name}
                    note={t('tills.since', { at: dateTime(till.created_at) })}
                    trailing={
                      <Button kind="quiet" small onClick={() => setClosing(till)}>
                        {t('tills.close')}
                      </Button>
                    }
                  />
                ))}
              </List>
            )}
            <Button kind="primary" block icon="plus" onClick={begin}>
              {t('tills.add')}
            </Button>
          </>
        )}
      </Loaded>
      <Sheet open={adding} onClose={() => setAdding(false)} title={t('tills.add')} closeLabel={c('close')}>
        <form
          class="k-stack"
          onSubmit={(event) => {
            event.preventDefault();
            if (name.trim() !== '') add.run();
          }}
        >
          <TextField label={t('tills.name')} hint={t('tills.name.hint')} value={name} onInput={setName} maxLength={40} focus error={add.failure && failureText(add.failure)} />
          <Button kind="primary" block type="submit" busy={add.busy} disabled={name.trim() === ''}>
            {t('tills.add')}
          </Button>
        </form>
      </Sheet>
      <Dialog
        open={closing !== undefined}
        onClose={() => setClosing(undefined)}
        title={t('tills.sure', { name: closing?.name ?? '' })}
        actions={
          <>
            <Button onClick={() => setClosing(undefined)}>{c('cancel')}</Button>
            <Button kind="danger" busy={close.busy} onClick={() => closing && close.run(closing)}>
              {t('tills.close')}
            </Button>
          </>
        }
      >
        <p>{t('tills.sure.note')}</p>
        <Refusal failure={close.failure} />
      </Dialog>
    </Frame>
  );
}
