/** The phones that make pay codes for this person. */
import { useEffect, useState } from 'preact/hooks';
import { c } from '../../common/text';
import { Badge, Button, Cell, Dialog, Empty, List } from '../../kit';
import { call } from '../../lib/call';
import { day } from '../../lib/format';
import { useAct, useLoad } from '../../lib/load';
import type { Device } from '../api';
import { deviceKey, forgetDevice } from '../device';
import { SubScreen } from '../screen';
import { Loaded, Refused } from '../states';
import { t } from '../text';

export default function Devices() {
  const devices = useLoad((signal) => call('get', '/v1/me/devices', { signal }), []);
  const [own, setOwn] = useState<string>();
  const [removing, setRemoving] = useState<Device>();
  useEffect(() => {
    void deviceKey().then((held) => setOwn(held?.device));
  }, []);
  const remove = useAct(async (device: string) => {
    await call('delete', '/v1/me/devices/{device}', { path: { device } });
    if (device === own) await forgetDevice();
    setRemoving(undefined);
    devices.reload();
  });
  return (
    <SubScreen title={t('devices.title')} back="#/me">
      <p class="lead">{t('devices.lead')}</p>
      <Loaded of={devices}>
        {(list) =>
          list.length === 0 ? (
            <Empty icon="mobile" title={t('devices.none')} note={t('devices.none.note')} action={<Button href="#/code">{t('code.title')}</Button>} />
          ) : (
            <List>
              {list.map((one) => (
                <Cell
                  key={one.id}
                  icon="mobile"
                  title={one.name}
                  note={
                    <>
                      {one.id === own && <Badge tone="brand">{t('devices.this')}</Badge>} {t('added.on', { day: day(one.created_at) })}
                    </>
                  }
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
      <Dialog
        open={removing !== undefined}
        title={t('devices.remove')}
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
        <p>{t('devices.remove.note', { name: removing?.name ?? '' })}</p>
        <Refused failure={remove.failure} />
      </Dialog>
    </SubScreen>
  );
}
