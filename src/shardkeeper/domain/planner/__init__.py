"""The heart: events in, actions out.

A ``Planner`` is one incarnation's mind. It does no I/O, reads no clock and starts no thread; it is told
facts, one at a time (`events`), and answers with what it wants done (`actions`). It is incremental: no event
makes it walk all jobs, except a look-back, which is cut into pieces. Its parts, each of one noun:

* ``timetable``: jobs by schedule, and the instants they fire;
* ``membership``: the view and the leases, hence the effective members and what this node owns;
* ``watch``: beats of other incarnations, hence who is to be taken over;
* ``holdings``: attempts held, attempts asked for, and the room that is left;
* ``firing``: creating and claiming the runs of fires, on time and by look-back;
* ``adoption``: PENDING attempts, owned or left lying by others;
* ``closing``: what becomes of attempts that ended here;
* ``lifecycle``: joining, beating, draining, leaving, and being found dead.
"""
