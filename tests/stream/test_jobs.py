"""Jobs: an analysis has an address, tells how far it is, can be cancelled for good, and is not kept for ever."""

import asyncio

import pytest

from tests.stream.serving import Running, serving
from tests.stream.test_upload import MP4, Slow, gone, temporary
from unmask.stream.jobs import KEEP_S, MOST_KEPT, UNWATCHED_S

__all__ = ["temporary"]


async def started(running: Running, content: bytes = MP4, name: str = "clip.mp4") -> str:
    """Starts a job and gives its address."""
    answer = await running.client.post("/api/jobs", files={"file": (name, content, "video/mp4")})
    assert answer.status_code == 202 and answer.json()["state"] in ("waiting", "running", "done")
    return answer.headers["location"]


async def finished(running: Running, address: str) -> dict[str, object]:
    """The job once nothing more will come."""
    while True:
        job: dict[str, object] = (await running.client.get(address)).json()
        if job["state"] not in ("waiting", "running"):
            return job
        await asyncio.sleep(0.02)


async def test_job_ends_with_result_details_and_report() -> None:
    async with serving() as running:
        address = await started(running)
        job = await finished(running, address)
        assert job["state"] == "done" and job["progress"] == 1.0 and job["details"] == {"timeline": []}
        assert job["result"] == {"file": "clip.mp4", "method": "fusion", "bytes": len(MP4)}
        report = await running.client.get(f"{address}/report.html")
        assert report.text == "<h1>clip.mp4</h1>" and "attachment" in report.headers["content-disposition"]
        assert (await running.client.delete(address)).status_code == 204
        for path in (address, f"{address}/report.html"):
            assert (await running.client.get(path)).json()["error"] == "no_such_job"


async def test_failure_is_told_by_code_and_sentence() -> None:
    async with serving() as running:
        job = await finished(running, await started(running, MP4 + b"broken"))
        assert (job["state"], job["error"]) == ("failed", "unreadable_file") and "result" not in job
        answer = await running.client.post("/api/jobs", files={"file": ("a.txt", b"hello")})
        assert (answer.status_code, answer.json()["error"]) == (415, "not_media")


async def test_cancelling_stops_running_and_waiting_work_and_removes_the_files(temporary: object) -> None:
    slow = Slow()
    async with serving(analyze=slow) as running:
        first, second = await started(running), await started(running)
        await running.until(slow.started.is_set)
        assert (await running.client.get(first)).json()["state"] == "running"
        assert (await running.client.get(second)).json()["state"] == "waiting"
        assert (await running.client.get(f"{first}/report.html")).json()["error"] == "not_done"
        assert (await running.client.delete(second)).status_code == 204
        assert running.service.uploads.active == 1
        assert (await running.client.delete(first)).status_code == 204
        assert slow.stopped.is_set()
        await gone(running, temporary)  # type: ignore[arg-type]


async def test_job_that_nobody_asks_after_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow()
    async with serving(analyze=slow) as running:
        address = await started(running)
        await running.until(slow.started.is_set)
        jobs = running.service.jobs
        later_s = jobs._clock() + UNWATCHED_S + 1
        monkeypatch.setattr(jobs, "_clock", lambda: later_s)
        jobs.sweep()
        await running.until(slow.stopped.is_set)
        assert (await running.client.get(address)).status_code == 404 and jobs.dropped == {"unwatched": 1}


async def test_results_are_few_and_young(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as running:
        jobs = running.service.jobs
        addresses = [await started(running)]
        await finished(running, addresses[0])
        for _ in range(MOST_KEPT):
            addresses.append(await started(running))
            await finished(running, addresses[-1])
        jobs.sweep()
        assert len(jobs) == MOST_KEPT and (await running.client.get(addresses[0])).status_code == 404
        later_s = jobs._clock() + KEEP_S + 1
        monkeypatch.setattr(jobs, "_clock", lambda: later_s)
        jobs.sweep()
        assert len(jobs) == 0 and jobs.dropped == {"too_many": 1, "too_old": MOST_KEPT}


async def test_guests_have_no_jobs() -> None:
    async with serving(token="right", tokens=[{"token": "guest", "streams": ["cam"]}]) as running:
        guest = {"Authorization": "Bearer guest"}
        assert (await running.client.get("/api/jobs/x")).status_code == 401
        assert (await running.client.get("/api/jobs/x", headers=guest)).status_code == 403
        files = {"file": ("clip.mp4", MP4)}
        assert (await running.client.post("/api/jobs", files=files, headers=guest)).status_code == 403
