# -*- coding: utf-8 -*-
'''What the library of the original client sees: values, bytes and corner cases
that an original daemon got wrong. The client's own tests are run beside these.'''
from __future__ import absolute_import
import errno
import socket
import uuid

from cbor.cbor import Tag
import cbor
import pytest

from coordinate.job_client import TaskMaster

AVAILABLE, BLOCKED, PENDING, FINISHED, FAILED = 1, 2, 3, 4, 5


def spec(name='s', **more):
    return dict(more, name=name, min_gb=1)


@pytest.fixture
def tm(task_master):
    task_master.set_work_spec(spec())
    return task_master


def status(tm, key, name='s'):
    return tm.get_work_unit_status(name, key)['status']


VALUES = [
    None, True, False, 0, 23, 24, -1, 2 ** 32, 2 ** 63, 2 ** 64 - 1, -2 ** 63, 2 ** 64, -2 ** 64 - 1,
    2 ** 72 + 5,
    0.5, 1e300, float('inf'), '', 'bytes', '\x00\xff', u'text', u'stra\xdfe', u'\U0001f40d', [], (), {},
    (1, [2, (3,)], {'four': (5,)}), {'nested': {1: 'integer key', 'b': [None, {}]}},
    uuid.UUID('01234567-89ab-cdef-0123-456789abcdef'), 'x' * 70000,
]


def same(a, b):
    '''Equal, and of the same kinds at every depth.'''
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and a == b and all(same(v, b[k]) for k, v in a.items())
    number = (int, long)
    return a == b and (type(a) is type(b) or isinstance(a, number) and isinstance(b, number))


@pytest.mark.parametrize('value', VALUES, ids=lambda v: repr(v)[:20])
def test_values_keep_their_kind(tm, value):
    tm.add_work_units('s', [('k', {'v': value})])
    assert same(tm.get_work_units('s', ['k'])[0][1], {'v': value})
    unit = tm.get_work('w')
    assert same(unit.data, {'v': value})
    unit.data = {'w': [value]}
    assert unit.finish() is True
    assert same(tm.get_work_units('s', ['k'])[0][1], {'w': [value]})
    tm.set_work_spec(spec(config={'v': value}))
    assert same(tm.get_work_spec('s')['config'], {'v': value})


def test_not_a_number_stays_one(tm):
    tm.add_work_units('s', [('k', {'v': float('nan')})])
    v = tm.get_work_units('s', ['k'])[0][1]['v']
    assert v != v


def test_data_may_be_absent(tm):
    tm.add_work_units('s', [('k', None)])
    assert tm.get_work_units('s') == [('k', None)]
    assert tm.get_work('w').data is None


def test_keys_are_bytes_in_their_order(tm):
    keys = ['', '\x00', '\x00\x00', '\xff', u'\xfc'.encode('utf-8'), 'a', 'a\x00', 'b' * 300, 'B']
    tm.add_work_units('s', [(key, {}) for key in reversed(keys)])
    assert [key for key, _ in tm.get_work_units('s')] == sorted(keys)
    assert [unit.key for unit in tm.get_work('w', max_jobs=20)] == sorted(keys)
    assert all(isinstance(unit.key, str) for unit in tm.get_child_work_units('nobody').values())


def test_text_and_bytes_are_one_key(tm):
    tm.add_work_units('s', [(u'\xfc', {'n': 1}), ('\xc3\xbc', {'n': 2})])
    assert tm.get_work_units('s') == [('\xc3\xbc', {'n': 2})]


def test_pages_of_keys(tm):
    keys = ['k{:04}'.format(i) for i in range(1500)]
    tm.add_work_units('s', [(key, {}) for key in keys])
    assert len(tm.get_work_units('s')) == 1000
    assert len(tm.get_work_units('s', limit=1500)) == 1500
    assert [k for k, _ in tm.get_work_units('s', start='k1497')] == ['k1498', 'k1499']
    assert tm.get_work_units('s', start='k1499') == []
    assert [k for k, _ in tm.get_work_units('s', start='k0001', limit=2)] == ['k0002', 'k0003']
    assert sorted(tm.list_work_units('s', start=3, limit=2)) == ['k0003', 'k0004']


def test_listing_specs(tm):
    for name in ('b', 'c', 'a'):
        tm.set_work_spec(spec(name))
    assert [name for name, _ in tm.list_work_specs()[0]] == ['a', 'b', 'c', 's']
    page, after = tm.list_work_specs(limit=2)
    assert [name for name, _ in page] == ['a', 'b'] and after == 'c'
    assert [s['name'] for s in tm.iter_work_specs(start='b')] == ['b', 'c', 's']
    assert [s['name'] for s in tm.iter_work_specs(limit=3)] == ['a', 'b', 'c']
    assert tm.list_work_specs(limit=0) == ([], None)
    with pytest.raises(Exception):
        tm.list_work_specs(start=3)


def test_nothing_is_found_in_band(task_master):
    tm = task_master
    assert tm.get_work_spec('none') is None
    assert tm.add_work_units('none', [('k', {})]) is False
    assert tm.get_work_units('none') is None
    assert tm.count_work_units('none') is None
    assert tm.get_work_unit_status('none', ['k']) is None
    assert tm.del_work_units('none', all=True) == 0
    assert tm.update_work_unit('none', 'k', status=FINISHED) is False
    assert tm.prioritize_work_units('none', ['k']) is False
    assert tm.del_work_spec('none') is False
    assert tm.get_work('w') is None and tm.get_work('w', max_jobs=5) == []
    assert not tm.get_heartbeat('none') and tm.get_child_work_units('none') == {}
    assert tm.workers() == {} and tm.mode_counts() == {}
    tm.set_work_spec(spec())
    assert tm.update_work_unit('s', 'none', status=FINISHED) is False
    assert tm.get_work_unit_status('s', ['none', 'either']) == [None, None]
    assert tm.get_work_units('s', state=[AVAILABLE, FAILED]) == []


def test_deleting_nothing(tm):
    tm.add_work_units('s', {'a': {}, 'b': {}})
    assert tm._rpc('del_work_units', ['s', {}])[0] == 0
    assert tm.del_work_units('s', work_unit_keys=[]) == 0
    assert tm.del_work_units('s', state=BLOCKED) == 0
    assert tm.get_work_units('s', work_unit_keys=[]) == []
    assert tm.get_work_units('s', state=[]) == tm.get_work_units('s', state=BLOCKED) == []
    assert tm.count_work_units('s') == {AVAILABLE: 2}


def test_a_held_unit_that_is_deleted(tm):
    tm.add_work_units('s', {'a': {}, 'b': {}})
    unit = tm.get_work('w')
    assert tm.del_work_units('s', ['a']) == 1
    assert unit.finish() is False
    assert tm.count_work_units('s') == {AVAILABLE: 1}
    assert tm.get_work('w').key == 'b'
    tm.worker_heartbeat('w', parent='p')
    assert [u.key for u in tm.get_child_work_units('p')['w']] == ['b']
    tm.del_work_spec('s')
    assert tm.get_child_work_units('p') == {}
    tm.worker_unregister('w')


def test_a_worker_without_parent(tm):
    for parent in (None, ''):
        tm.worker_heartbeat('w', parent=parent)
        assert tm.workers() == {'w': ''}
    assert tm.mode_counts() == {'': 1}
    assert set(tm.get_heartbeat('w')) == {'age_seconds'}
    tm.worker_unregister('w')
    tm.worker_unregister('w')
    assert tm.workers() == {}


def test_asking_makes_no_worker(tm):
    tm.get_heartbeat('ghost')
    tm.get_child_work_units('ghost')
    tm.get_work('ghost')
    assert tm.workers() == {}


def test_a_lease_given_back(tm):
    tm.add_work_units('s', [('a', {'n': 1})])
    unit = tm.get_work('w')
    unit.data['n'] = 2
    assert unit.update(-1) is True
    assert status(tm, 'a') == AVAILABLE
    assert tm.get_work_units('s') == [('a', {'n': 1})]


def test_the_old_data_is_back_after_a_retry(tm):
    tm.add_work_units('s', [('a', {'n': 1})])
    unit = tm.get_work('w')
    unit.fail(ValueError('no'))
    assert 'traceback' in tm.get_work_unit_status('s', 'a')
    assert tm.retry('s', 'a') is True
    assert tm.get_work_units('s') == [('a', {'n': 1})]
    assert tm.get_work_unit_status('s', 'a') == {'status': AVAILABLE}
    assert tm.retry('s', 'a') is False


def test_changes_of_state(tm):
    def to(key, state):
        return tm.update_work_unit('s', key, status=state, data={'to': state})
    tm.add_work_units('s', [(key, {}) for key in 'abcd'])
    assert to('a', FAILED) is True and status(tm, 'a') == FAILED
    assert to('a', FINISHED) is True and status(tm, 'a') == FINISHED
    assert to('a', FAILED) is False and status(tm, 'a') == FINISHED
    assert tm.get_work_units('s', ['a']) == [('a', {'to': FINISHED})]
    with pytest.raises(Exception):
        to('a', PENDING)
    assert to('a', AVAILABLE) is True and status(tm, 'a') == AVAILABLE
    assert to('b', PENDING) is True and status(tm, 'b') == PENDING
    assert to('c', AVAILABLE) is True
    assert tm.get_work_units('s', ['c']) == [('c', {'to': AVAILABLE})]
    for state in (BLOCKED, 7):
        with pytest.raises(Exception):
            to('d', state)
    assert status(tm, 'd') == AVAILABLE


def test_priorities(tm):
    tm.add_work_units('s', [('a', {}), ('b', {}, {'priority': 0.5}), ('c', {}, {'priority': -1})])
    assert tm._rpc('add_work_units', ['s', [['d', {}, None, 7], ['e', {}, {'priority': 1}, 3.5]]]) == [True, None]
    assert [u.key for u in tm.get_work('w', max_jobs=9)] == ['d', 'e', 'b', 'a', 'c']


def test_a_delayed_unit(tm):
    tm.add_work_units('s', [('late', {}, {'delay': 3600}), ('now', {}, {'delay': 0})])
    assert tm.count_work_units('s') == {AVAILABLE: 2}
    assert [status(tm, key) for key in ('late', 'now')] == [AVAILABLE, AVAILABLE]
    assert [u.key for u in tm.get_work('w', max_jobs=9)] == ['now']
    assert sorted(tm.list_work_units('s')) == ['late', 'now']


@pytest.mark.parametrize('units', [
    {'a': {}}, [['a']], [7], [('a', 'text')], [('a', {}, 'text')], [('a', {}, {'priority': 'high'})], [(7, {})],
], ids=repr)
def test_units_that_are_none(tm, units):
    for unit in units if isinstance(units, list) else []:
        with pytest.raises(Exception):
            tm._rpc('add_work_units', ['s', [('good', {}), unit]])
    with pytest.raises(Exception):
        tm._rpc('add_work_units', ['s', units])
    assert tm.count_work_units('s') == {}


def test_max_running(tm):
    tm.set_work_spec(spec(max_running=1))
    tm.add_work_units('s', {'a': {}, 'b': {}})
    first = tm.get_work('w', max_jobs=20)
    assert [u.key for u in first] == ['a']
    assert tm.get_work('v') is None
    first[0].finish()
    assert tm.get_work('v').key == 'b'


def test_a_continuous_spec_invents_a_unit(tm):
    tm.set_work_spec(spec(continuous=True, interval=3600))
    unit = tm.get_work('w', max_jobs=5)
    assert len(unit) == 1 and unit[0].data == {}
    seconds, dot, rest = unit[0].key.partition('.')
    assert seconds.isdigit() and dot and rest.isdigit()
    unit[0].finish()
    assert tm.get_work('w') is None
    assert tm._rpc('control_work_spec', ['s', {'interval': 0}]) == [True, None]
    assert tm._rpc('get_work_spec_meta', ['s'])[0]['continuous'] is True
    tm.set_work_spec(spec())
    ok, message = tm._rpc('control_work_spec', ['s', {'continuous': True}])
    assert ok is False and message


def test_meta(tm):
    tm.set_work_spec(spec(nice=-80, interval=0.5, max_running='3'))
    want = {'status': 1, 'continuous': False, 'interval': 0.5, 'max_running': 3, 'weight': 100}
    assert tm._rpc('get_work_spec_meta', ['s']) == [want, None]
    tm._rpc('control_work_spec', ['s', {'weight': 7, 'max_running': 2, 'status': 2, 'interval': None}])
    want.update(status=2, max_running=2, weight=7)
    assert tm._rpc('get_work_spec_meta', ['s']) == [want, None]
    assert tm.get_work_spec('s') == spec(nice=-80, interval=0.5, max_running='3')


@pytest.mark.parametrize('output, want', [
    ({'x': {'n': 1}, 'y': None}, {'x': {'n': 1}, 'y': None}),
    (['x', u'y'], {'x': {}, 'y': {}}),
    (('x', ('y', {'n': 2}), ['z', {}, {'priority': 4}]), {'x': {}, 'y': {'n': 2}, 'z': {}}),
    (['x', ('x', {'n': 1})], {'x': {'n': 1}}),
    ([7, ['lonely'], 'x'], {'x': {}}),
    (None, {}), ([], {}), ('text', {}), (7, {}),
], ids=lambda v: repr(v)[:24])
def test_chaining(tm, output, want):
    tm.set_work_spec(spec(then='next'))
    tm.set_work_spec(spec('next'))
    tm.add_work_units('s', {'k': {}})
    unit = tm.get_work('w')
    unit.data['output'] = output
    assert unit.finish() is True
    assert dict(tm.get_work_units('next')) == want


def test_chaining_into_nothing(tm):
    tm.set_work_spec(spec(then='missing'))
    tm.add_work_units('s', {'k': {'output': ['x']}})
    assert tm.get_work('w').finish() is True
    assert status(tm, 'k') == FINISHED


def test_options_may_be_tuples_text_and_null(tm):
    tm.add_work_units(u's', ((u'a', {}), ('b', {})))
    assert tm._rpc('get_work_units', [u's', {u'state': (1, 3), 'limit': None}])[0] == [('a', {}), ('b', {})]
    assert tm._rpc('get_work_unit_status', ['s', ('a', u'b')])[0] == [{'status': 1}] * 2
    got, message = tm._rpc('get_work', ['w', {'max_jobs': 2.0, 'work_spec_names': (u's', 'none'), 'lease_time': None}])
    assert got == [('s', 'a', {}), ('s', 'b', {})] and message is None


def test_errors_can_be_printed(tm):
    with pytest.raises(Exception) as caught:
        tm._rpc(u'n\xf6', [])
    assert str(caught.value)
    with pytest.raises(Exception) as caught:
        tm._rpc('get_work_spec', [])
    assert str(caught.value)
    with pytest.raises(Exception) as caught:
        tm._rpc('set_work_spec', [{'config': u'n\xf6'}])
    assert "'name'" in str(caught.value)
    assert tm.get_work_spec('s') == spec()  # the connection has stayed


def test_locks(task_master):
    rpc = task_master._rpc
    usr, share = ('usr', 'bin'), ('usr', 'share')
    assert rpc('lock', ['me', 60, [usr, share]]) == [True, None]
    assert rpc('readlock', [[usr, ('usr',), share]]) == ['me', None, 'me']
    ok, message = rpc('lock', ['you', 60, [('usr',)]])
    assert ok is False and message
    assert rpc('locksome', ['you', 60, [usr, ('var',)]]) == [[None, ['var']], None]
    assert rpc('renew', ['you', 60, [usr]])[0] is False
    assert rpc('renew', ['me', 60, [usr, share]]) == [True, None]
    assert rpc('unlock', ['you', [usr]])[0] is False
    assert rpc('unlock', ['me', [usr, share]]) == [True, None]
    assert rpc('locksome', ['me', 60, []]) == [[], None]
    assert rpc('readlock', [[]]) == []
    assert rpc('delete_namespace', ['var']) == 1


def test_an_overdue_lock_is_free(task_master):
    rpc = task_master._rpc
    assert rpc('lock', ['me', -1, [('a',)]]) == [True, None]
    assert rpc('readlock', [[('a',)]]) == [None]


class Raw(object):
    '''A connection without the client's care.'''

    def __init__(self, server):
        self.socket = socket.create_connection((server.host, server.port))

    def send(self, message):
        self.socket.sendall(cbor.dumps(Tag(24, cbor.dumps(message))))

    def receive(self):
        return cbor.loads(cbor.load(self.socket.makefile('rb')).value)


def test_a_batch_of_requests(server, tm):
    raw = Raw(server)
    raw.send([{'id': 1, 'method': 'now', 'params': []}, {'id': 2, 'method': 'none', 'params': []},
              {u'id': 3, u'method': u'count_work_units', u'params': [u's']}])
    answers = raw.receive()
    assert [a['id'] for a in answers] == [1, 2, 3]
    assert answers[0]['result'] > 1400000000 and 'error' in answers[1] and answers[2]['result'] == [{}, None]
    raw.send([])
    assert raw.receive() == []


def test_requests_without_waiting(server, tm):
    raw = Raw(server)
    buffered = raw.socket.makefile('rb')
    for i in range(200):
        raw.send({'id': i, 'method': 'add_work_units', 'params': ['s', [[str(i), {}]]]})
    assert [cbor.loads(cbor.load(buffered).value)['id'] for _ in range(200)] == list(range(200))
    assert tm.count_work_units('s') == {AVAILABLE: 200}


@pytest.mark.parametrize('request_id', [None, -1, 'text', 2 ** 40])
def test_strange_ids_are_echoed(server, tm, request_id):
    raw = Raw(server)
    raw.send({'id': request_id, 'method': 'count_work_units', 'params': ['s']})
    assert raw.receive() == {'id': request_id, 'result': [{}, None]}


def test_junk_hurts_nobody_else(server, tm):
    for junk in ('GET / HTTP/1.0\r\n\r\n', '\xff' * 100, cbor.dumps(Tag(24, '\xa1')), cbor.dumps(Tag(24, cbor.dumps(7)))):
        raw = Raw(server)
        raw.socket.settimeout(30)
        try:
            raw.socket.sendall(junk)
            assert raw.socket.recv(1) == ''
        except socket.error as exc:  # it may not even have read all
            assert exc.errno in (errno.ECONNRESET, errno.EPIPE)
    assert tm.count_work_units('s') == {}


def test_many_idle_connections(server, tm):
    clients = [TaskMaster({'address': server.address}) for _ in range(300)]
    for client in clients:
        assert client.count_work_units('s') == {}
    for client in clients:
        assert client.count_work_units('s') == {}
        client.close()
