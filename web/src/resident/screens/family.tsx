/** Whose bills I look after, and who looks after mine; asking to look after somebody's. */
import { useRef, useState } from 'preact/hooks';
import { c } from '../../common/text';
import { Badge, Button, Cell, Empty, List, Section, Segmented, Sheet, Stack, TextField, toast } from '../../kit';
import { freshKey } from '../../lib/call';
import { useAct, useOnline } from '../../lib/load';
import { href } from '../../lib/router';
import * as api from '../api';
import { useKept } from '../kept';
import { SubScreen } from '../screen';
import { Loaded, Refused } from '../states';
import { t } from '../text';

const isOver = (one: api.FamilyLink): boolean => one.state !== 'invited' && one.state !== 'active';

export default function FamilyScreen() {
  const links = useKept('family', api.family);
  const [inviting, setInviting] = useState(false);
  const invite = (
    <Button kind="primary" block icon="plus" onClick={() => setInviting(true)}>
      {t('family.invite')}
    </Button>
  );
  return (
    <SubScreen title={t('family.title')} back="#/me">
      <p class="lead">{t('family.lead')}</p>
      <Loaded of={links}>
        {(all) =>
          all.length === 0 ? (
            <Empty icon="people" title={t('family.none')} note={t('family.none.note')} action={invite} />
          ) : (
            <>
              <Links title={t('family.helper')} links={all.filter((one) => one.role === 'helper' && !isOver(one))} />
              <Links title={t('family.owner')} links={all.filter((one) => one.role === 'owner' && !isOver(one))} />
              {invite}
              <Links title={t('family.over')} links={all.filter(isOver)} />
            </>
          )
        }
      </Loaded>
      <Sheet open={inviting} onClose={() => setInviting(false)} title={t('family.invite')} closeLabel={c('close')}>
        {inviting && (
          <Invite
            done={() => {
              setInviting(false);
              links.reload();
            }}
          />
        )}
      </Sheet>
    </SubScreen>
  );
}

function Links({ title, links }: { title: string; links: api.FamilyLink[] }) {
  if (links.length === 0) return null;
  return (
    <Section title={title}>
      <List>
        {links.map((one) => (
          <Cell
            key={one.id}
            icon="people"
            href={href(`/family/${one.id}`)}
            title={
              <>
                {one.label || one.other_name}{' '}
                <Badge tone={one.state === 'active' ? 'ok' : one.state === 'invited' ? 'warn' : 'neutral'}>{t(`family.state.${one.state}`)}</Badge>
              </>
            }
            note={
              <>
                {one.label && `${one.other_name} `}
                <span class="k-num">{one.other_phone}</span>
              </>
            }
          />
        ))}
      </List>
    </Section>
  );
}

function Invite({ done }: { done: () => void }) {
  const [phone, setPhone] = useState('');
  const [label, setLabel] = useState('');
  const [may, setMay] = useState<api.FamilyMay>('watch');
  const online = useOnline();
  const key = useRef<{ of: string; key: string }>(undefined);
  const act = useAct(async () => {
    const body = { phone: phone.replace(/[\s-]/g, ''), label: label.trim() || undefined, may };
    const of = JSON.stringify(body);
    if (key.current?.of !== of) key.current = { of, key: freshKey() };
    await api.inviteFamily(body, key.current.key);
    toast(t('family.invited'), 'ok');
    done();
  });
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        act.run();
      }}
    >
      <Stack>
        <TextField label={t('transfer.phone')} type="tel" inputMode="tel" name="phone" mono value={phone} onInput={setPhone} focus />
        <TextField label={t('family.label')} placeholder={t('family.label.hint')} maxLength={20} value={label} onInput={setLabel} />
        <Segmented
          label={t('family.may')}
          showLabel
          value={may}
          onChange={(value) => setMay(value as api.FamilyMay)}
          options={[
            { value: 'watch', label: t('family.may.watch') },
            { value: 'pay', label: t('family.may.pay') },
          ]}
        />
        <p class="muted">{t(`family.may.${may}.note`)}</p>
        <Refused failure={act.failure} />
        <Button kind="primary" block type="submit" busy={act.busy} disabled={!online || phone.trim() === ''}>
          {t('family.send')}
        </Button>
      </Stack>
    </form>
  );
}
