#include "shmem/shared_memory.hpp"

namespace pgpubsub {
namespace {

std::span<const shared_part* const> parts;
bool is_attached = false;
shmem_request_hook_type previous_request_hook = nullptr;
shmem_startup_hook_type previous_startup_hook = nullptr;

void request() {
    if (previous_request_hook != nullptr)
        previous_request_hook();
    for (const shared_part* part : parts)
        RequestAddinShmemSpace(part->size());
}

void attach() {
    if (previous_startup_hook != nullptr)
        previous_startup_hook();
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    for (const shared_part* part : parts) {
        bool found;
        void* const memory = ShmemInitStruct(part->name, part->size(), &found);
        part->attach(memory, !found);
    }
    LWLockRelease(AddinShmemInitLock);
    is_attached = true;
}

}  // namespace

void define_shared_memory(std::span<const shared_part* const> its_parts) {
    if (!process_shared_preload_libraries_in_progress)
        return;
    parts = its_parts;
    previous_request_hook = shmem_request_hook;
    shmem_request_hook = request;
    previous_startup_hook = shmem_startup_hook;
    shmem_startup_hook = attach;
}

bool has_shared_memory() { return is_attached; }

}  // namespace pgpubsub
