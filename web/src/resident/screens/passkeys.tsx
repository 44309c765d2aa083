/** Passkeys: signing in by fingerprint, face or the screen lock. */
import { useState } from 'preact/hooks';
import { c, failureText } from '../../common/text';
import { Banner, Button, Cell, Dialog, Empty, List, toast } from '../../kit';
import { day } from '../../lib/format';
import { asFailure, useAct, useLoad, useOnline } from '../../lib/load';
import * as api from '../api';
import { deviceName } from '../device';
import { createPasskey } from '../passkey';
import { SubScreen } from '../screen';
import { Loaded, PinSheet, Refused } from '../states';
import { t } from '../text';

export default function Passkeys() {
  const online = useOnline();
  const keys = useLoad(api.passkeys, []);
  const [removing, setRemoving] = useState<api.Passkey>();
  const [asking, setAsking] = useState(false);
  const add = useAct(async (pin?: string) => {
    try {
      await createPasskey(deviceName(), pin);
    } catch (error) {
      // The server says whether it wants a PIN, and which was wrong; anything else is said on the screen behind.
      setAsking(asFailure(error).code.startsWith('pin_'));
      throw error;
    }
    setAsking(false);
    toast(t('passkeys.added'), 'ok');
    keys.reload();
  });
  const remove = useAct(async (id: string) => {
    await api.removePasskey(id);
    setRemoving(undefined);
    keys.reload();
  });
  const code = add.failure?.code;
  const aboutPin = code?.startsWith('pin_') ?? false;
  return (
    <SubScreen title={t('passkeys.title')} back="#/me">
      <p class="lead">{t('passkeys.lead')}</p>
      <Loaded of={keys}>
        {(list) =>
          list.length === 0 ? (
            <Empty icon="passkey" title={t('passkeys.none')} />
          ) : (
            <List>
              {list.map((one) => (
                <Cell
                  key={one.id}
                  icon="passkey"
                  title={one.name}
                  note={t('added.on', { day: day(one.created_at) })}
                  trailing={
                    <Button kind="quiet" small onClick={() => setRemoving(one)}>
                      {t('remove')}
                    </Button>
                  }
                />
              ))}
            </List>
          )
        }
      </Loaded>
      {code === 'passkey_here' ? (
        <Banner tone="info" role="alert">
          {t('passkeys.here')}
        </Banner>
      ) : code === 'cancelled' || asking ? null : (
        <Refused failure={add.failure} />
      )}
      <Button kind="primary" block icon="plus" busy={add.busy} disabled={!online} onClick={() => add.run()}>
        {t('passkeys.add')}
      </Button>
      <PinSheet
        open={asking}
        heading={t('passkeys.add')}
        title={<p>{t('passkeys.pin')}</p>}
        busy={add.busy}
        error={aboutPin && code !== 'pin_required' && add.failure ? failureText(add.failure) : undefined}
        onPin={(pin) => add.run(pin)}
        onClose={() => {
          setAsking(false);
          add.clear();
        }}
      />
      <Dialog
        open={removing !== undefined}
        title={t('passkeys.remove')}
        onClose={() => setRemoving(undefined)}
        actions={
          <>
            <Button onClick={() => setRemoving(undefined)}>{c('cancel')}</Button>
            <Button kind="danger" busy={remove.busy} onClick={() => removing && remove.run(removing.id)}>
              {t('remove')}
            </Button>
          </>
        }
      >
        <p>{t('passkeys.remove.note', { name: removing?.name ?? '' })}</p>
        <Refused failure={remove.failure} />
      </Dialog>
    </SubScreen>
  );
}
